"""The packaged chain's first block, as `CHECKPOINT` names one: what `make up` trusts."""

CHECKPOINT = "0:0xf231ad86ef232450097a38340bb18b152dc41adb8e67667c82c3bbcf45de1a45"
