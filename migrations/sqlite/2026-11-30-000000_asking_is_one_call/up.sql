-- PostgreSQL's alone: a fact in an embedded database takes no round trips. But here too, mails of sign-ins are sealed without
-- recipient from now on.
SELECT 1;
