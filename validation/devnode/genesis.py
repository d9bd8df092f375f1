"""The packaged chain, as `NODE_CHAIN_ID` and `CHECKPOINT` name it: what `make up` trusts."""

CHAIN_ID = 31337
CHECKPOINT = "0:0xf231ad86ef232450097a38340bb18b152dc41adb8e67667c82c3bbcf45de1a45"
