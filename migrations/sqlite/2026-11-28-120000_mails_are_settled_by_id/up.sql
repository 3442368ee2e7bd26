-- PostgreSQL's alone: here, no statistics are gathered.
SELECT 1;
