-- A blog as many sites keep it on MariaDB, of our own making: zero dates, sets, bits, times of more than a day, keys without a sign.
CREATE TABLE blog_users (ID bigint(20) unsigned NOT NULL AUTO_INCREMENT, login varchar(60) NOT NULL DEFAULT '', pass varchar(255) NOT NULL DEFAULT '',
    email varchar(100) NOT NULL DEFAULT '', registered datetime NOT NULL DEFAULT '0000-00-00 00:00:00', status int(11) NOT NULL DEFAULT 0 COMMENT 'FOREIGN KEY (`status`) REFERENCES `blog_terms` (`term_id`)',
    born date NOT NULL DEFAULT '0000-00-00', since year, old_year year(4) NOT NULL DEFAULT 1999, PRIMARY KEY (ID), KEY login_key (login), KEY email (email(20))) ENGINE=InnoDB;
INSERT INTO blog_users (login, email, registered, born, since) VALUES ('glados', 'a@example.com', '2026-03-29 02:30:00', '1998-05-16', 2026),
    ('', '', DEFAULT, DEFAULT, NULL), ('Zoë 😀', 'ü@example.com', '1000-01-01 00:00:00', '2026-02-00', 0000);
CREATE TABLE blog_usermeta (umeta_id bigint(20) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id bigint(20) unsigned NOT NULL DEFAULT 0,
    meta_key varchar(255) DEFAULT NULL, meta_value longtext, KEY user_id (user_id), KEY meta_key (meta_key(191))) ENGINE=InnoDB;
INSERT INTO blog_usermeta (user_id, meta_key, meta_value) VALUES (1, 'x', repeat('long', 9000)), (77, NULL, NULL), (0, '', '');
CREATE TABLE blog_posts (ID bigint(20) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, author bigint(20) unsigned NOT NULL DEFAULT 0,
    posted datetime NOT NULL DEFAULT '0000-00-00 00:00:00', posted_gmt datetime(6) NOT NULL DEFAULT '0000-00-00 00:00:00', content longtext NOT NULL,
    title mediumtext NOT NULL, status enum('draft', 'publish', 'it''s', 'a,b', '') NOT NULL DEFAULT 'publish', flags set('sticky', 'pinned', 'x y') NOT NULL DEFAULT '',
    parent bigint(20) unsigned, sort_order mediumint(9) NOT NULL DEFAULT 0, comment_count bigint(20) NOT NULL DEFAULT 0, changed timestamp NULL,
    touched timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(), slug varchar(200) CHARACTER SET latin1 COLLATE latin1_general_ci NOT NULL DEFAULT '',
    excerpt tinytext, UNIQUE KEY slug_key (slug(10)), UNIQUE KEY author_order (author, ID), FULLTEXT KEY content (content)) ENGINE=InnoDB;
INSERT INTO blog_posts (author, posted, posted_gmt, content, title, status, flags, parent, slug, changed) VALUES
    (1, '2026-01-01 00:00:00', '2026-01-01 00:00:00.000001', 'Cake', 'Lie', 'draft', 'sticky,x y', NULL, 'lie', '2026-01-01 12:00:00'),
    (1, DEFAULT, DEFAULT, '', '', 'a,b', '', 1, 'café', NULL), (2, '9999-12-31 23:59:59', '9999-12-31 23:59:59.999999', '😀', 'ü', 'it''s', 'pinned', 2, 'x', NULL);
CREATE TABLE blog_comments (comment_ID bigint(20) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, post_ID bigint(20) unsigned NOT NULL, parent bigint(20) unsigned,
    ip varchar(45), agent tinyblob, karma smallint(5) unsigned NOT NULL DEFAULT 65535, approved tinyint(1) NOT NULL DEFAULT 1, spam tinyint(1) DEFAULT NULL, score tinyint(4), bits bit(8), one bit(1) NOT NULL DEFAULT b'0',
    CONSTRAINT post_key FOREIGN KEY (post_ID) REFERENCES blog_posts (ID) ON DELETE CASCADE ON UPDATE RESTRICT,
    CONSTRAINT parent_key FOREIGN KEY (parent) REFERENCES blog_comments (comment_ID) ON DELETE SET NULL) ENGINE=InnoDB;
INSERT INTO blog_comments (post_ID, parent, ip, agent, approved, spam, score, bits, one) VALUES (1, NULL, '10.0.0.1', 'x', 1, NULL, -128, b'10101010', b'1'), (1, 1, NULL, NULL, 0, 1, 127, NULL, b'0'),
    (2, 1, '', '', 2, 0, 0, b'0', b'0');
CREATE TABLE blog_terms (term_id bigint(20) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(200) NOT NULL, slug varchar(200) NOT NULL UNIQUE, term_group bigint(10) NOT NULL DEFAULT 0) ENGINE=InnoDB;
INSERT INTO blog_terms (name, slug) VALUES ('News', 'news'), ('Ünï', 'uni');
CREATE TABLE blog_term_relationships (object_id bigint(20) unsigned NOT NULL, term_id bigint(20) unsigned NOT NULL, term_order int(11) NOT NULL DEFAULT 0, PRIMARY KEY (object_id, term_id),
    FOREIGN KEY (object_id) REFERENCES blog_posts (ID) ON UPDATE CASCADE, FOREIGN KEY (term_id) REFERENCES blog_terms (term_id) ON DELETE CASCADE) ENGINE=InnoDB;
INSERT INTO blog_term_relationships VALUES (1, 1, 0), (1, 2, 1), (2, 1, 0);
CREATE TABLE blog_relation_notes (id int NOT NULL PRIMARY KEY, object_id bigint(20) unsigned, term_id bigint(20) unsigned, note text,
    FOREIGN KEY (object_id, term_id) REFERENCES blog_term_relationships (object_id, term_id)) ENGINE=InnoDB;
INSERT INTO blog_relation_notes VALUES (1, 1, 2, 'x'), (2, NULL, 1, NULL);
CREATE TABLE blog_options (option_id bigint(20) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, option_name varchar(191) DEFAULT NULL UNIQUE, option_value longtext NOT NULL,
    autoload varchar(20) NOT NULL DEFAULT 'yes', document json, raw longblob, token binary(16), short_token varbinary(20)) ENGINE=InnoDB;
INSERT INTO blog_options (option_name, option_value, document, raw, token, short_token) VALUES ('a', '1', '{"a": [1, 2.5, "ü"]}', x'00ff', x'000102030405060708090a0b0c0d0e0f', x'00'),
    ('b', '', 'null', '', 'x', ''), (NULL, 'null', NULL, NULL, NULL, NULL);
CREATE TABLE blog_numbers (id int(10) unsigned NOT NULL PRIMARY KEY, tiny tinyint, utiny tinyint unsigned, small smallint, medium mediumint unsigned, whole int unsigned, large bigint unsigned,
    exact decimal(20, 6), whole_only decimal(30), positive decimal(5, 2) unsigned, single float, double_ double, filled int(5) unsigned zerofill, flag boolean) ENGINE=InnoDB;
INSERT INTO blog_numbers VALUES (4294967295, -128, 255, -32768, 16777215, 4294967295, 18446744073709551615, -12345678901234.123456, 123456789012345678901234567890, 999.99, 1.5, 1e-300, 42, true),
    (0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.1, 0.1, 1, false);
CREATE TABLE blog_times (id int NOT NULL PRIMARY KEY, took time, exact time(6), moment datetime(3), zero date DEFAULT '0000-00-00', stamp timestamp(6) NULL) ENGINE=InnoDB;
INSERT INTO blog_times VALUES (1, '838:59:59', '12:00:00.000001', '2026-01-01 00:00:00.123', '2026-01-01', '2026-01-01 00:00:00.000001'), (2, '-01:00:00', '-838:59:59', NULL, '0000-00-00', NULL),
    (3, '00:00:00', '23:59:59.999999', '0000-00-00 00:00:00', NULL, NULL), (4, '24:00:00', NULL, '0001-01-01 00:00:00', '0001-01-01', NULL);
CREATE TABLE blog_clock (id int NOT NULL PRIMARY KEY, clock time NOT NULL) ENGINE=InnoDB;
INSERT INTO blog_clock VALUES (1, '00:00:00'), (2, '23:59:59');
CREATE TABLE blog_places (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, place point NOT NULL, shape geometry, uid uuid, address inet6, v4 inet4) ENGINE=InnoDB;
INSERT INTO blog_places (place, shape, uid, address, v4) VALUES (POINT(1, 2), NULL, '00000000-0000-0000-0000-00000000000a', '2001:db8::1', '10.0.0.1'), (POINT(0, 0), ST_GeomFromText('LINESTRING(0 0,1 1)'), NULL, NULL, NULL);
CREATE TABLE blog_generated (id int NOT NULL PRIMARY KEY, net decimal(8, 2) NOT NULL, gross decimal(10, 4) AS (net * 1.19) STORED, label varchar(40) AS (concat('n', net)) VIRTUAL,
    secret varchar(20) INVISIBLE DEFAULT 'x', CHECK (net > 0)) ENGINE=InnoDB;
INSERT INTO blog_generated (id, net) VALUES (1, 1), (2, 2.50);
CREATE TABLE blog_names (id int NOT NULL PRIMARY KEY, models int, objects int, pk int, save int, `class` int, `None` int, `check` int, `with space` int, `per%cent` int, `%s` int, `back``tick` int, `quo"te` int, `1digit` int,
    _leading int, trailing_ int, double__underscore int, `UPPER` int, `Ünïcode` int, `order` int, `single'quote` int, `a-b` int, `a b` int, a_b int, meta int, `unsigned` int, `comma,name` int, `paren)name` int) ENGINE=InnoDB;
INSERT INTO blog_names VALUES (1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27);
CREATE TABLE `weird table` (`the key` int NOT NULL PRIMARY KEY, parent int, UNIQUE KEY (parent), CONSTRAINT `odd ``key` FOREIGN KEY (parent) REFERENCES `weird table` (`the key`)) ENGINE=InnoDB;
INSERT INTO `weird table` VALUES (1, NULL), (2, 1);
CREATE TABLE `weird-child` (id int NOT NULL PRIMARY KEY, `odd parent` int NOT NULL, FOREIGN KEY (`odd parent`) REFERENCES `weird table` (`the key`)) ENGINE=InnoDB;
INSERT INTO `weird-child` VALUES (1, 1), (2, 2);
CREATE TABLE `class` (id int NOT NULL PRIMARY KEY, `class` varchar(5)) ENGINE=InnoDB;
INSERT INTO `class` VALUES (1, 'x');
CREATE TABLE `1table` (`1` int NOT NULL PRIMARY KEY) ENGINE=InnoDB;
INSERT INTO `1table` VALUES (1);
CREATE TABLE `per%cent` (id int NOT NULL PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE `back``tick` (id int NOT NULL PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE `quo"te` (id int NOT NULL PRIMARY KEY, note text) ENGINE=InnoDB;
INSERT INTO `quo"te` VALUES (1, 'x');
CREATE TABLE keys_text (code varchar(50) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL PRIMARY KEY, note text) ENGINE=InnoDB;
INSERT INTO keys_text VALUES ('a', 'x'), ('A', 'y'), ('é', 'z');
CREATE TABLE keys_text_child (id int NOT NULL PRIMARY KEY, code varchar(50) CHARACTER SET latin1 COLLATE latin1_bin, FOREIGN KEY (code) REFERENCES keys_text (code) ON UPDATE CASCADE) ENGINE=InnoDB;
INSERT INTO keys_text_child VALUES (1, 'A'), (2, NULL);
CREATE TABLE keys_enum (kind enum('a', 'b') NOT NULL PRIMARY KEY, note text) ENGINE=InnoDB;
INSERT INTO keys_enum VALUES ('a', 'x'), ('b', 'y');
CREATE TABLE keys_binary (token binary(16) NOT NULL PRIMARY KEY, note text) ENGINE=InnoDB;
INSERT INTO keys_binary VALUES (x'00000000000000000000000000000001', 'x');
CREATE TABLE keys_uuid (uid uuid NOT NULL PRIMARY KEY, note text) ENGINE=InnoDB;
INSERT INTO keys_uuid VALUES ('00000000-0000-0000-0000-00000000000a', 'x');
CREATE TABLE keys_year (born year NOT NULL PRIMARY KEY) ENGINE=InnoDB;
INSERT INTO keys_year VALUES (1999), (2026);
CREATE TABLE keys_none (a int, b text) ENGINE=InnoDB;
INSERT INTO keys_none VALUES (1, 'x'), (1, 'x');
CREATE TABLE keys_unique (code varchar(20) NOT NULL, note text, UNIQUE KEY (code)) ENGINE=InnoDB;
INSERT INTO keys_unique VALUES ('x', 'y');
CREATE TABLE keys_zero (id int NOT NULL PRIMARY KEY, moment datetime NOT NULL DEFAULT '0000-00-00 00:00:00', UNIQUE KEY (moment)) ENGINE=InnoDB;
INSERT INTO keys_zero VALUES (0, DEFAULT), (-1, '2026-01-01');
CREATE TABLE keys_zero_date (day date NOT NULL, line smallint NOT NULL, note text, PRIMARY KEY (day, line)) ENGINE=InnoDB;
INSERT INTO keys_zero_date VALUES ('2026-01-01', 1, 'x'), ('2026-01-01', 2, 'y');
CREATE TABLE part_log (id int NOT NULL, day date NOT NULL, note text, PRIMARY KEY (id, day)) ENGINE=InnoDB PARTITION BY RANGE (year(day)) (PARTITION old VALUES LESS THAN (2026), PARTITION new VALUES LESS THAN MAXVALUE);
INSERT INTO part_log VALUES (1, '2025-01-01', 'x'), (1, '2026-01-01', 'y');
CREATE TABLE kind_myisam (id int NOT NULL PRIMARY KEY, note varchar(20) CHARACTER SET latin1) ENGINE=MyISAM;
INSERT INTO kind_myisam VALUES (1, 'é');
CREATE TABLE kind_versioned (id int NOT NULL PRIMARY KEY, note text) ENGINE=InnoDB WITH SYSTEM VERSIONING;
INSERT INTO kind_versioned VALUES (1, 'x');
UPDATE kind_versioned SET note = 'y';
CREATE SEQUENCE kind_sequence;
CREATE TABLE kind_trigger (id int NOT NULL PRIMARY KEY, note text, copies int NOT NULL DEFAULT 0) ENGINE=InnoDB;
CREATE TRIGGER kind_trigger_count BEFORE INSERT ON kind_trigger FOR EACH ROW SET NEW.copies = NEW.copies + 1;
INSERT INTO kind_trigger (id, note) VALUES (1, 'x');
CREATE VIEW view_posts AS SELECT p.ID AS id, p.title, u.login FROM blog_posts p LEFT JOIN blog_users u ON u.ID = p.author;
