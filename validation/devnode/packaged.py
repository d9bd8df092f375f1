"""The packaged chain, as `NODE_CHAIN_ID` and `CHECKPOINT` name it: what `make up` trusts.

The checkpoint is its newest block: all blocks below one are pinned by it, those above are not.
"""

CHAIN_ID = 31337
CHECKPOINT = "320:0x79b7c02250132cd4c82d30539383dc774451f467653b99c1a46abfebfbf56bb3"
