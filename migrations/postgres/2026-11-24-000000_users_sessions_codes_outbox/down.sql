DROP TABLE mail_attempts;
DROP TABLE outbox;
DROP TABLE codes;
DROP TABLE sessions;
DROP TABLE emails;
DROP TABLE users;
