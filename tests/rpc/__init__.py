"""Tests of the RPC client, against scripted nodes on loopback or fakes in the process."""
