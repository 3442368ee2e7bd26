-- PostgreSQL's alone: here, an index that is searched by what is equal is preferred whatever a table holds.
SELECT 1;
