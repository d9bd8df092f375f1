"""What was measured, in Postgres: 10 s for a day, a minute for two weeks, an hour for a year.

Enter: figures of one moment (`figures`), written by whoever collects. Leave: series with gaps where
nothing was measured. Rows carry the database's clock. Imports nothing above `monitoring`.
"""
