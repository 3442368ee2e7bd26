DROP TABLE throttles;
DROP TABLE failures;
DROP TABLE known_networks;
