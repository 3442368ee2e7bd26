-- Mails that are owed without recipient are given up by whoever claims them after this: who asked for a code asks again.
SELECT 1;
