-- PostgreSQL's alone: here, one fact is stored at a time.
SELECT 1;
