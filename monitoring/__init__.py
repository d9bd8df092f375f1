"""What is measured. Processes count in `instruments` and tell of it each second by `publisher`;
workers tell of themselves in `snapshots`; `events` nudges between processes.

Enter: counts, figures, nudges. Leave: each figure with its age, the fleet's counters added up
(`totals`, kept in Postgres by `incarnations`), and Prometheus' text (`exposition`). Imports neither
`validation` nor `console`.
"""
