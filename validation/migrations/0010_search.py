"""Lists that stay quick: the words of titles by GIN, and runs by their size.

The two functions are what a search is made of (`validation.words`): the words of a text between
blanks and signs, in small letters, and a query for rows that have a word beginning with each of
those sought. No dictionary and no parser of Postgres's own: hashes, labels and addresses are cut
the same way wherever they stand. Built while others write.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from validation.words import Words, WordsIndex

# Blanks of all kinds, the narrow ones of large numbers too, and every sign of ASCII.
FUNCTIONS = r"""
CREATE OR REPLACE FUNCTION validation_words_of(said text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_remove(
    regexp_split_to_array(lower(said), E'[\\x01-/:-@\\[-`{-\\x7f\\s\u00a0\u2009\u202f]+'), '');

CREATE OR REPLACE FUNCTION validation_words(said text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_to_tsvector(validation_words_of(said));

CREATE OR REPLACE FUNCTION validation_sought(said text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT string_agg(quote_literal(word) || ':*', ' & ')::tsquery
    FROM unnest(validation_words_of(said)) AS word);
"""
BACK = """
DROP FUNCTION validation_sought(text);
DROP FUNCTION validation_words(text);
DROP FUNCTION validation_words_of(text);
"""
# Those that an interrupted build left are of no use.
AFRESH = "DROP INDEX CONCURRENTLY IF EXISTS {}"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("validation", "0009_run_traceparent")]
    operations = [
        migrations.RunSQL(FUNCTIONS, BACK),
        migrations.RunSQL(AFRESH.format("run_words"), migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="run",
            index=WordsIndex(Words("title"), name="run_words"),
        ),
        migrations.RunSQL(AFRESH.format("run_by_size"), migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(fields=["-total", "-id"], name="run_by_size"),
        ),
    ]
