"""Which figures are an alarm, since when, and who has been told.

Enter: what is known of servers, workers and history at a moment; what only those above know comes
from what they register. Leave: alerts with their words, and one notification a group. Imports
nothing above `monitoring`.
"""
