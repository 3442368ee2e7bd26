DROP TABLE events;
DROP INDEX users_administrators;
DROP INDEX users_accounts;
DROP INDEX emails_owned_address_key;
CREATE UNIQUE INDEX emails_verified_address_key ON emails (address_key) WHERE verified = 1;
ALTER TABLE emails DROP COLUMN vouched;
