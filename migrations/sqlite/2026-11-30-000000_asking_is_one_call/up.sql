-- PostgreSQL's alone: a fact in an embedded database takes no round trips.
SELECT 1;
