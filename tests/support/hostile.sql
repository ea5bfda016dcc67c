-- A schema that no one would make on purpose, made on purpose: each table has one thing that tools for models get wrong.
CREATE TYPE mood AS ENUM ('sad', 'so so', 'it''s "fine"', '50%');
CREATE TYPE pair AS (a integer, b text);
CREATE TYPE span AS RANGE (subtype = float8);
CREATE DOMAIN mood_domain AS mood;
CREATE DOMAIN short_text AS varchar(12) CHECK (value <> '');
CREATE DOMAIN positive AS integer CHECK (value > 0);
CREATE DOMAIN small_positive AS positive CHECK (value < 1000);
CREATE DOMAIN price AS numeric(12, 2);
CREATE DOMAIN labels AS text[];

-- Types.
CREATE TABLE types_text (id serial PRIMARY KEY, plain text NOT NULL, short varchar(5), fixed char(8), bare varchar,
    one "char", letter char, sysname name, dom short_text, feeling mood, hidden mood_domain);
INSERT INTO types_text (plain, short, fixed, bare, one, letter, sysname, dom, feeling, hidden) VALUES
    ('', '', '', '', '', '', '', 'x', 'sad', 'sad'), (E'tab\t\nline \\ '' " % {} $1', 'ÄÖÜ€😀', 'ab', 'x ', 'c', 'd', 'n', 'twelve chars',
    'it''s "fine"', '50%'), ('null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (repeat('long ', 500), 'a    ', 'ünïcödé ', 'None', 'x', ' ',
    'name', ' lead', 'so so', 'so so');
CREATE TABLE types_number (id smallserial PRIMARY KEY, small smallint, whole integer, large bigint, single real, double float8,
    loose numeric, exact numeric(10, 2), whole_only numeric(20), below numeric(3, -2), above numeric(2, 5), cash money,
    dom positive, nested small_positive, cost price, identifier oid, flag boolean NOT NULL DEFAULT true);
INSERT INTO types_number (small, whole, large, single, double, loose, exact, whole_only, below, above, cash, dom, nested, cost,
    identifier, flag) VALUES
    (-32768, -2147483648, -9223372036854775808, 1.5, 1e-300, 12345678901234567890.123456789, -99999999.99, 1e19, 12300, 0.00012,
    '-12.34', 1, 1, 0.01, 4294967295, false),
    (32767, 2147483647, 9223372036854775807, 'Infinity', '-Infinity', 1e-20, 99999999.99, 0, 99900, 0.00099, '1234567.89',
    2147483647, 999, 9999999999.99, 0, true),
    (0, 0, 0, 0.1, 0.1, 0, 0.1, -1, 0, 0, '0', 7, 7, 1, 1, true), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, true), (1, 1, 1, 'NaN', 'NaN', 1, 1, 1, 100, 0.00001, '1', 1, 1, 1, 1, false);
CREATE TABLE types_nan (id integer PRIMARY KEY, loose numeric, exact numeric(10, 2));
INSERT INTO types_nan VALUES (1, 'NaN', 'NaN'), (2, 1, 1);
CREATE TABLE types_infinite_number (id integer PRIMARY KEY, loose numeric);
INSERT INTO types_infinite_number VALUES (1, 'Infinity'), (2, '-Infinity'), (3, 1);
CREATE TABLE types_time (id bigserial PRIMARY KEY, day date, naive timestamp, aware timestamptz, rounded timestamp(0),
    clock time, zoned timetz, took interval, years interval year to month);
INSERT INTO types_time (day, naive, aware, rounded, clock, zoned, took, years) VALUES
    ('2026-02-28', '2026-03-29 02:30:00.000001', '2026-03-29 02:30:00.5+05:45', '2026-01-01', '23:59:59.999999', '12:00+02',
    '1 year 2 mons 3 days 04:05:06.7', '14 mons'), ('0001-01-01', '0001-01-01', '0001-01-02 00:00+00', '0999-12-31', '00:00', '00:00-11',
    '-1 days', '-1 mons'), ('9999-12-31', '9999-12-31 23:59:59', '9999-12-30 00:00+00', '1582-10-10', '12:00', '23:59+14',
    '100000 hours', '0'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE types_endless (id integer PRIMARY KEY, day date, naive timestamp, aware timestamptz, clock time);
INSERT INTO types_endless VALUES (1, 'infinity', 'infinity', 'infinity', '24:00'), (2, '-infinity', '-infinity', '-infinity', '1:00'),
    (3, '10000-01-01', '10000-01-01', '294276-01-01', '2:00'), (4, '0044-03-15 BC', '0044-03-15 BC', '0044-03-15 BC', '3:00'),
    (5, '2026-01-01', '2026-01-01', '2026-01-01', '4:00');
CREATE TABLE types_network (id integer PRIMARY KEY, host inet, net cidr, card macaddr, card8 macaddr8);
INSERT INTO types_network VALUES (1, '10.0.0.1', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05'),
    (2, '10.0.0.1/8', '2001:db8::/32', NULL, NULL), (3, '::ffff:1.2.3.4', NULL, NULL, NULL), (4, '2001:db8::1/64', NULL, NULL, NULL);
CREATE TABLE types_bits (id integer PRIMARY KEY, one bit, eight bit(8), many varbit, few varbit(5), raw bytea);
INSERT INTO types_bits VALUES (1, B'1', B'10101010', B'', B'101', '\x00ff'), (2, B'0', B'00000000', B'1', NULL, ''), (3, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE types_json (id integer PRIMARY KEY, document jsonb, verbatim json, path jsonpath);
INSERT INTO types_json VALUES (1, '{"a": [1, 2.50, null, "ü"]}', '{"b": 1, "b": 2}', '$.a'), (2, 'null', 'null', NULL),
    (3, '"text"', '[ ]', NULL), (4, '12345678901234567890', 'true', NULL), (5, NULL, NULL, NULL);
CREATE TABLE types_array (id integer PRIMARY KEY, words text[], numbers int[], grid int[][], ids uuid[], moments timestamptz[],
    moods mood[], dom labels, decimals numeric(5, 2)[], documents jsonb[], sized varchar(3)[]);
INSERT INTO types_array VALUES (1, '{a,"b,c","",NULL,"nu\"ll"}', '{1,2}', '{{1,2},{3,4}}', '{00000000-0000-0000-0000-000000000001}',
    '{"2026-01-01 00:00+00"}', '{sad,"so so"}', '{x}', '{1.10}', '{"{\"a\": 1}"}', '{abc}'),
    (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, '[0:1]={a,b}', '{NULL}', '{{5},{6}}', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE types_range (id integer PRIMARY KEY, whole int4range, large int8range, exact numrange, days daterange, naive tsrange,
    aware tstzrange, own span, several int4multirange, holidays datemultirange);
INSERT INTO types_range VALUES (1, '[1,5)', '(,7]', '(1.5,2.5]', '[2026-01-01,2026-02-01)', '[2026-01-01,)', '[2026-01-01 00:00+00,)', '[1.5,2.5]',
    '{[1,3),[5,7)}', '{}'), (2, 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', '{}', NULL), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE types_shape (id integer PRIMARY KEY, place point, straight line, part lseg, area box, round circle, shape polygon);
INSERT INTO types_shape VALUES (1, '(1,2)', '{1,2,3}', '((0,0),(1,1))', '((2,2),(0,0))', '<(0,0),1>', '((0,0),(1,1),(1,0))');
CREATE TABLE types_rare (id integer PRIMARY KEY, words tsvector, asked tsquery, both_ pair, position_ pg_lsn, kind regclass, uid uuid);
INSERT INTO types_rare VALUES (1, 'a:1 b:2', 'a & b', '(1,"x y")', '0/16B3748', 'types_rare', '00000000-0000-0000-0000-00000000000a'),
    (2, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE types_xml (id integer PRIMARY KEY, document xml);
INSERT INTO types_xml VALUES (1, NULL);
DO $$ BEGIN
    INSERT INTO types_xml VALUES (2, '<a>ü</a>');
EXCEPTION WHEN feature_not_supported THEN
    RAISE NOTICE 'This server was built without libxml.';
END $$;
CREATE TABLE types_generated (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, net numeric(8, 2) NOT NULL,
    gross numeric(10, 4) GENERATED ALWAYS AS (net * 1.19) STORED, shout text GENERATED ALWAYS AS (repeat('x', net::integer)) STORED);
INSERT INTO types_generated (net) VALUES (1), (2.5);
CREATE TABLE types_default (id integer PRIMARY KEY, quoted text DEFAULT 'it''s', spoken text DEFAULT 'NULL::text', number integer DEFAULT -1,
    moment timestamptz DEFAULT now(), random uuid DEFAULT gen_random_uuid(), flag boolean DEFAULT false, amount numeric(6, 2) DEFAULT 1.50,
    words text[] DEFAULT '{}', document jsonb DEFAULT '{}', feeling mood DEFAULT 'sad', day date DEFAULT '2020-02-29');
INSERT INTO types_default (id) VALUES (1);

-- Keys; below, each of them gets a table that leads to it, where PostgreSQL can: not to a domain over an enum.
CREATE TABLE keys_small (id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
CREATE TABLE keys_big (id bigint PRIMARY KEY, note text);
CREATE TABLE keys_text (code text PRIMARY KEY, note text);
CREATE TABLE keys_varchar (code varchar(30) PRIMARY KEY, note text);
CREATE TABLE keys_char (code char(5) PRIMARY KEY, note text);
CREATE TABLE keys_uuid (uid uuid PRIMARY KEY DEFAULT gen_random_uuid(), note text);
CREATE TABLE keys_enum (feeling mood PRIMARY KEY, note text);
CREATE TABLE keys_enum_domain (feeling mood_domain PRIMARY KEY, note text);
CREATE TABLE keys_domain (number positive PRIMARY KEY, note text);
CREATE TABLE keys_text_domain (code short_text PRIMARY KEY, note text);
CREATE TABLE keys_date (day date PRIMARY KEY, note text);
CREATE TABLE keys_moment (moment timestamptz PRIMARY KEY, note text);
CREATE TABLE keys_naive (moment timestamp PRIMARY KEY, note text);
CREATE TABLE keys_numeric (number numeric(20, 0) PRIMARY KEY, note text);
CREATE TABLE keys_flag (flag boolean PRIMARY KEY, note text);
CREATE TABLE keys_inet (host inet PRIMARY KEY, note text);
CREATE TABLE keys_bytes (raw bytea PRIMARY KEY, note text);
CREATE TABLE keys_interval (took interval PRIMARY KEY, note text);
INSERT INTO keys_small (note) VALUES ('a'), ('b');
INSERT INTO keys_big VALUES (9223372036854775807, 'a'), (-1, 'b');
INSERT INTO keys_text VALUES ('', 'a'), ('with space/and ü%', 'b');
INSERT INTO keys_varchar VALUES ('a', 'a'), ('A ', 'b');
INSERT INTO keys_char VALUES ('abc', 'a'), ('abcde', 'b');
INSERT INTO keys_uuid VALUES ('00000000-0000-0000-0000-000000000001', 'a'), ('ffffffff-ffff-ffff-ffff-ffffffffffff', 'b');
INSERT INTO keys_enum VALUES ('sad', 'a'), ('50%', 'b');
INSERT INTO keys_enum_domain VALUES ('sad', 'a'), ('so so', 'b');
INSERT INTO keys_domain VALUES (1, 'a'), (2147483647, 'b');
INSERT INTO keys_text_domain VALUES ('x', 'a'), ('y', 'b');
INSERT INTO keys_date VALUES ('2026-01-01', 'a'), ('1970-01-01', 'b');
INSERT INTO keys_moment VALUES ('2026-01-01 00:00:00.000001+00', 'a'), ('1970-01-01 00:00+00', 'b');
INSERT INTO keys_naive VALUES ('2026-01-01 00:00:00.000001', 'a'), ('1970-01-01', 'b');
INSERT INTO keys_numeric VALUES (99999999999999999999, 'a'), (0, 'b');
INSERT INTO keys_flag VALUES (true, 'a'), (false, 'b');
INSERT INTO keys_inet VALUES ('10.0.0.1', 'a'), ('2001:db8::1', 'b');
INSERT INTO keys_bytes VALUES ('\x00', 'a'), ('\xff', 'b');
INSERT INTO keys_interval VALUES ('1 hour', 'a'), ('2 days', 'b');
DO $$ DECLARE key record; BEGIN
    FOR key IN SELECT c.relname AS name, a.attname AS col, format_type(a.atttypid, a.atttypmod) AS kind FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
        WHERE i.indisprimary AND c.relname LIKE 'keys\_%' AND c.relname <> 'keys_enum_domain' ORDER BY 1
    LOOP
        EXECUTE format('CREATE TABLE to_%s (id serial PRIMARY KEY, target %s REFERENCES %I, owner_id %s NOT NULL REFERENCES %I)',
            key.name, key.kind, key.name, key.kind, key.name);
        EXECUTE format('INSERT INTO to_%s (target, owner_id) SELECT %I, %I FROM %I UNION ALL (SELECT NULL, %I FROM %I LIMIT 1)',
            key.name, key.col, key.col, key.name, key.col, key.name);
    END LOOP;
END $$;
CREATE TABLE nokey_plain (a integer, b text);
CREATE TABLE nokey_unique (code text NOT NULL UNIQUE, note text);
CREATE TABLE nokey_nullable (code text UNIQUE, note text);
CREATE TABLE nokey_columns ();
INSERT INTO nokey_plain VALUES (1, 'x'), (1, 'x');
INSERT INTO nokey_unique VALUES ('a', 'x');
CREATE TABLE composite_pair (a integer, b text, note text, PRIMARY KEY (a, b));
CREATE TABLE composite_order (note text, z date, a mood, m bigint, PRIMARY KEY (m, z, a));
CREATE TABLE composite_weird ("1st" integer, "second_" text, "class" integer, note text, PRIMARY KEY ("class", "1st", "second_"));
CREATE TABLE composite_part (parent integer REFERENCES keys_domain (number), line smallint, note text, PRIMARY KEY (parent, line));
CREATE TABLE composite_part_id (parent_id integer REFERENCES keys_domain (number), line smallint, note text, PRIMARY KEY (parent_id, line));
CREATE TABLE composite_child (id integer PRIMARY KEY, a integer, b text, FOREIGN KEY (a, b) REFERENCES composite_pair);
CREATE TABLE composite_grandchild (a integer, b text, n integer, PRIMARY KEY (a, b, n), FOREIGN KEY (a, b) REFERENCES composite_pair);
CREATE TABLE composite_shared (tenant integer, id integer, boss integer, PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, boss) REFERENCES composite_shared (tenant, id));
INSERT INTO composite_pair VALUES (1, 'x', 'n'), (1, 'y', NULL), (2, 'x', 'm');
INSERT INTO composite_order VALUES ('n', '2026-01-01', 'sad', 1), ('n', '2026-01-02', '50%', 1);
INSERT INTO composite_weird VALUES (1, 'b', 2, 'n');
INSERT INTO composite_part VALUES (1, 1, 'n'), (1, 2, 'm');
INSERT INTO composite_part_id VALUES (1, 1, 'n'), (1, 2, 'm');
INSERT INTO composite_child VALUES (1, 1, 'x'), (2, NULL, 'x');
INSERT INTO composite_grandchild VALUES (1, 'x', 1), (1, 'y', 1);
INSERT INTO composite_shared VALUES (1, 1, NULL), (1, 2, 1), (2, 1, NULL);

-- Relations.
CREATE TABLE rel_self (id integer PRIMARY KEY, parent integer REFERENCES rel_self, parent_id integer, self integer REFERENCES rel_self);
CREATE TABLE rel_hen (id integer PRIMARY KEY, egg_id integer);
CREATE TABLE rel_egg (id integer PRIMARY KEY, hen_id integer NOT NULL REFERENCES rel_hen);
INSERT INTO rel_self VALUES (1, NULL, 7, 1), (2, 1, NULL, 2);
INSERT INTO rel_hen VALUES (1, 1), (2, NULL);
INSERT INTO rel_egg VALUES (1, 1), (2, 1);
ALTER TABLE rel_hen ADD FOREIGN KEY (egg_id) REFERENCES rel_egg DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE rel_country (id integer PRIMARY KEY, iso char(2) NOT NULL UNIQUE, name text UNIQUE, rel_city_set text, rel_address text, city text, address_set integer);
CREATE TABLE rel_city (id integer PRIMARY KEY, country char(2) NOT NULL REFERENCES rel_country (iso), named text REFERENCES rel_country (name));
CREATE TABLE rel_address (id integer PRIMARY KEY, home_id integer REFERENCES rel_country, work_id integer REFERENCES rel_country,
    home integer, rel_country_id integer REFERENCES rel_country);
CREATE TABLE rel_passport (id integer PRIMARY KEY, country_id integer NOT NULL UNIQUE REFERENCES rel_country);
CREATE TABLE rel_child (parent_id integer PRIMARY KEY REFERENCES rel_country, note text);
CREATE TABLE rel_grandchild (parent_id integer PRIMARY KEY REFERENCES rel_child, note text);
CREATE TABLE rel_partly (id integer PRIMARY KEY, country_id integer REFERENCES rel_country);
CREATE UNIQUE INDEX ON rel_partly (country_id) WHERE id < 2;
CREATE TABLE rel_twice (id integer PRIMARY KEY, country_id integer REFERENCES rel_country REFERENCES rel_child);
INSERT INTO rel_country VALUES (1, 'DE', 'Germany', 'x', 'y', 'z', 1), (2, 'FR', NULL, NULL, NULL, NULL, NULL);
INSERT INTO rel_city VALUES (1, 'DE', 'Germany'), (2, 'FR', NULL);
INSERT INTO rel_address VALUES (1, 1, 2, 3, 1), (2, NULL, NULL, NULL, NULL);
INSERT INTO rel_passport VALUES (1, 1);
INSERT INTO rel_child VALUES (1, 'n'), (2, 'm');
INSERT INTO rel_grandchild VALUES (1, 'n');
INSERT INTO rel_partly VALUES (1, 1), (2, 1), (3, 1);
INSERT INTO rel_twice VALUES (1, 1);
CREATE TABLE link_numbered (id serial PRIMARY KEY, hen_id integer NOT NULL REFERENCES rel_hen, country_id integer NOT NULL REFERENCES rel_country, UNIQUE (hen_id, country_id));
CREATE TABLE link_bare (hen_id integer REFERENCES rel_hen, country_id integer REFERENCES rel_country, PRIMARY KEY (hen_id, country_id));
CREATE TABLE link_extra (hen_id integer REFERENCES rel_hen, country_id integer REFERENCES rel_country, since date NOT NULL, PRIMARY KEY (country_id, hen_id));
CREATE TABLE link_self (from_id integer REFERENCES rel_hen, to_id integer REFERENCES rel_hen, PRIMARY KEY (from_id, to_id));
CREATE TABLE link_keyless (hen_id integer REFERENCES rel_hen, country_id integer REFERENCES rel_country);
INSERT INTO link_numbered (hen_id, country_id) VALUES (1, 1), (1, 2), (2, 1);
INSERT INTO link_bare VALUES (1, 1), (2, 1);
INSERT INTO link_extra VALUES (1, 1, '2026-01-01'), (2, 1, '2026-01-02');
INSERT INTO link_self VALUES (1, 1), (1, 2);
INSERT INTO link_keyless VALUES (1, 1);
-- Named as Django names tables of many-to-many fields: numbered, bare, of a table with itself, with the name of a method, and with more than a link.
CREATE TABLE rel_hen_countries (id serial PRIMARY KEY, hen_id integer NOT NULL REFERENCES rel_hen, country_id integer NOT NULL REFERENCES rel_country, UNIQUE (hen_id, country_id));
CREATE TABLE rel_hen_places (hen_id integer REFERENCES rel_hen, country_id integer REFERENCES rel_country, PRIMARY KEY (hen_id, country_id));
CREATE TABLE rel_hen_friends (from_hen_id integer REFERENCES rel_hen, to_hen_id integer REFERENCES rel_hen, PRIMARY KEY (from_hen_id, to_hen_id));
CREATE TABLE rel_hen_save (id serial PRIMARY KEY, hen_id integer NOT NULL REFERENCES rel_hen, egg_id integer NOT NULL REFERENCES rel_egg, UNIQUE (egg_id, hen_id));
CREATE TABLE rel_hen_egg (id serial PRIMARY KEY, hen_id integer NOT NULL REFERENCES rel_hen, egg_id integer NOT NULL REFERENCES rel_egg, UNIQUE (hen_id, egg_id));
CREATE TABLE rel_hen_stays (id serial PRIMARY KEY, hen_id integer NOT NULL REFERENCES rel_hen, country_id integer NOT NULL REFERENCES rel_country, since date, UNIQUE (hen_id, country_id));
INSERT INTO rel_hen_countries (hen_id, country_id) VALUES (1, 1), (1, 2), (2, 1);
INSERT INTO rel_hen_places VALUES (1, 1), (2, 1);
INSERT INTO rel_hen_friends VALUES (1, 2), (1, 1);
INSERT INTO rel_hen_save (hen_id, egg_id) VALUES (1, 1), (1, 2);
INSERT INTO rel_hen_egg (hen_id, egg_id) VALUES (2, 1), (1, 2);
INSERT INTO rel_hen_stays (hen_id, country_id) VALUES (2, 1);
-- Rows that are older than a constraint that was never validated.
CREATE TABLE rel_orphan (id integer PRIMARY KEY, hen_id integer NOT NULL);
INSERT INTO rel_orphan VALUES (1, 1), (2, 99);
ALTER TABLE rel_orphan ADD FOREIGN KEY (hen_id) REFERENCES rel_hen NOT VALID;
CREATE TABLE unique_together (id integer PRIMARY KEY, a integer, b integer, "class" integer, UNIQUE (a, b), UNIQUE (b, "class"));
CREATE TABLE unique_partial (id integer PRIMARY KEY, email text, gone boolean);
CREATE UNIQUE INDEX ON unique_partial (email) WHERE NOT gone;
CREATE TABLE unique_expression (id integer PRIMARY KEY, email text, other text);
CREATE UNIQUE INDEX ON unique_expression (lower(email));
CREATE UNIQUE INDEX ON unique_expression (other, lower(email));
CREATE TABLE unique_nulls (id integer PRIMARY KEY, code text, UNIQUE NULLS NOT DISTINCT (code));
CREATE TABLE unique_include (id integer PRIMARY KEY, code text, note text);
CREATE UNIQUE INDEX ON unique_include (code) INCLUDE (note);
CREATE TABLE unique_deferred (id integer PRIMARY KEY, place integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE unique_excluded (id integer PRIMARY KEY, booked int4range, EXCLUDE USING gist (booked WITH &&));
INSERT INTO unique_together VALUES (1, 1, 1, 1), (2, 1, 2, 1), (3, NULL, NULL, NULL);
INSERT INTO unique_partial VALUES (1, 'a', true), (2, 'a', false), (3, 'a', true);
INSERT INTO unique_expression VALUES (1, 'A', 'x'), (2, 'b', 'x');
INSERT INTO unique_nulls VALUES (1, NULL), (2, 'a');
INSERT INTO unique_include VALUES (1, 'a', 'n'), (2, 'b', 'n');
INSERT INTO unique_deferred VALUES (1, 1), (2, 2);
INSERT INTO unique_excluded VALUES (1, '[1,2)'), (2, '[2,3)');

-- Names.
CREATE TABLE names_python (id integer PRIMARY KEY, models text, objects text, pk text, id2 text, save text, clean text, full_clean text, delete text,
    "check" text, "class" text, def text, "None" text, "True" text, meta text, "Meta" text, _meta text, _state text, self text, cls text,
    __module__ text, __init__ text, __class__ text, from_db text, refresh_from_db text, date_error_message text, unique_error_message text,
    get_next_by_x text, database_role text, mirrormodel text, "MirrorModel" text, upstream text, "DoesNotExist" text, abstract text, db_table text);
CREATE TABLE names_odd (id integer PRIMARY KEY, _leading text, trailing_ text, double__underscore text, ___ text, "1digit" text, "with space" text,
    "UPPER" text, "Ünïcode" text, "a-b" text, "a b" text, "a_b" text, "a.b" text, "日本" text, "😀" text, "$" text, "order" text, "select" text, "semi;colon" text,
    "new
line" text, "back\slash" text, "{brace}" text, "#hash" text, "single'quote" text);
CREATE TABLE names_percent (id integer PRIMARY KEY, "per%cent" text, "%s" text, "%(name)s" text, plain text);
CREATE TABLE names_quote (id integer PRIMARY KEY, "quo""te" text, "back`tick" text, plain text);
CREATE TABLE names_percent_key ("per%cent" integer PRIMARY KEY, plain text);
CREATE TABLE names_case (id integer PRIMARY KEY, name text, "Name" text, "NAME" text, name_ text, _name text);
CREATE TABLE names_id ("ID" integer PRIMARY KEY, id text);
CREATE TABLE names_pk (pk integer PRIMARY KEY, id text);
CREATE TABLE names_id_id (id integer PRIMARY KEY, target integer REFERENCES names_id, target_id integer REFERENCES names_pk, target_id_id text);
INSERT INTO names_python (id, models, "class", pk) VALUES (1, 'x', 'y', 'z');
INSERT INTO names_odd VALUES (1, '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '13', '14', '15', '16', '17', '18', '19', '20', '21', '22', '23');
INSERT INTO names_percent VALUES (1, 'a', 'b', 'c', 'd');
INSERT INTO names_quote VALUES (1, 'a', 'b', 'c');
INSERT INTO names_percent_key VALUES (1, 'a');
INSERT INTO names_case VALUES (1, 'a', 'b', 'c', 'd', 'e');
INSERT INTO names_id VALUES (1, 'a');
INSERT INTO names_pk VALUES (1, 'a');
INSERT INTO names_id_id VALUES (1, 1, 1, 'x');
DO $$ DECLARE word text; BEGIN
    FOREACH word IN ARRAY ARRAY['class', 'none', 'None', 'model', 'models', 'mirror_model', 'mirrormodel', '1table', 'weird table', 'weird-table', 'weird_table',
        'UPPER', 'Upper', 'upper', 'Ünïcode', '日本', 'Order', 'order', 'user', 'users', 'type', 'import', 'json', 'django', 'tests', 'config', 'databases',
        '_private', '__dunder__', '_', 'a__b', 'trailing_', 'per%cent', 'quo"te', 'dot.ted', 'slash/ed', repeat('x', 60) || '001', repeat('x', 60) || '002',
        'x_' || repeat('y', 58) || '_01', 'x_' || repeat('y', 58) || '_02', 'django_content', 'auth_', 'field', 'upstream', 'plain_date_time_field']
    LOOP
        EXECUTE format('CREATE TABLE %I (id integer PRIMARY KEY, %I text)', word, left(word, 60));
        EXECUTE format('INSERT INTO %I VALUES (1, %L), (2, NULL)', word, word);
    END LOOP;
END $$;

-- Classes that would hide the fields that the generated file imports.
CREATE TABLE shadow_as_text_field (id integer PRIMARY KEY, card macaddr);
CREATE TABLE shadow_zoneless_date_time_field (id integer PRIMARY KEY, moment timestamp);
CREATE TABLE shadow_zone (id integer PRIMARY KEY, card macaddr, moment timestamp, document json);
INSERT INTO shadow_zone VALUES (1, '08:00:2b:01:02:03', '2026-01-01', '{}');
-- Words of SQL that a filter of statements could look for.
CREATE TABLE names_sql (id integer PRIMARY KEY, "for update" text, "into outfile" text, "set_config" text,
    "-- comment" text, "/* comment" text, "drop table" text, "returning" text);
INSERT INTO names_sql VALUES (1, '1', '2', '3', '4', '5', '6', '7');
CREATE TYPE nothing AS ENUM ();
CREATE TYPE odd_labels AS ENUM ('', E'new\nline', 'back\slash', '"quotes"', '{brace}', 'ünï');
CREATE TABLE types_enum (id integer PRIMARY KEY, none_ nothing, label odd_labels);
INSERT INTO types_enum VALUES (1, NULL, ''), (2, NULL, E'new\nline'), (3, NULL, 'back\slash'), (4, NULL, 'ünï');

-- Views, partitions, inheritance.
CREATE VIEW view_plain AS SELECT id, name, iso FROM rel_country;
CREATE VIEW view_join AS SELECT c.id, c.iso || p.id AS label, p.id AS passport FROM rel_country c LEFT JOIN rel_passport p ON p.country_id = c.id;
CREATE MATERIALIZED VIEW view_kept AS SELECT id, feeling, fixed FROM types_text;
CREATE TABLE part_range (id integer, day date, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE part_range_old PARTITION OF part_range FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE part_range_new PARTITION OF part_range DEFAULT;
CREATE TABLE part_hash (id integer PRIMARY KEY, note text) PARTITION BY HASH (id);
CREATE TABLE part_hash_0 PARTITION OF part_hash FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part_hash_1 PARTITION OF part_hash FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE part_user (id integer PRIMARY KEY, part_id integer REFERENCES part_hash);
INSERT INTO part_range VALUES (1, '2025-01-01', 'old'), (1, '2026-01-01', 'new');
INSERT INTO part_hash SELECT n, 'n' FROM generate_series(1, 9) n;
INSERT INTO part_user VALUES (1, 1), (2, 2);
CREATE TABLE inherit_parent (id integer PRIMARY KEY, note text);
CREATE TABLE inherit_child (extra text, PRIMARY KEY (id)) INHERITS (inherit_parent);
CREATE TABLE inherit_orphan (extra text) INHERITS (inherit_parent);
INSERT INTO inherit_parent VALUES (1, 'p');
INSERT INTO inherit_child VALUES (2, 'c', 'x');
CREATE TABLE kind_typed OF pair (PRIMARY KEY (a));
CREATE UNLOGGED TABLE kind_unlogged (id integer PRIMARY KEY, gone text, kept text);
ALTER TABLE kind_unlogged DROP COLUMN gone;
INSERT INTO kind_typed VALUES (1, 'x');
INSERT INTO kind_unlogged VALUES (1, 'x');

-- Other schemas: one of them the reader may not use.
CREATE SCHEMA archive;
CREATE SCHEMA "Odd schema";
CREATE SCHEMA locked;
CREATE TABLE archive.rel_country (id bigint PRIMARY KEY, title varchar(9) NOT NULL, feeling mood, replaces integer REFERENCES public.rel_country);
CREATE TABLE archive.entry (id integer PRIMARY KEY, country_id bigint NOT NULL REFERENCES archive.rel_country, note text UNIQUE);
CREATE TABLE archive.names_percent (id integer PRIMARY KEY, plain text);
CREATE TABLE "Odd schema"."Odd table" (id integer PRIMARY KEY, note text);
CREATE TABLE locked.secret (id integer PRIMARY KEY, note text);
CREATE TABLE across (id integer PRIMARY KEY, there_id bigint REFERENCES archive.rel_country, secret_id integer REFERENCES locked.secret);
INSERT INTO archive.rel_country VALUES (3000000000, 'old', 'sad', 1), (2, 'older', NULL, NULL);
INSERT INTO archive.entry VALUES (1, 3000000000, 'x');
INSERT INTO archive.names_percent VALUES (1, 'x');
INSERT INTO "Odd schema"."Odd table" VALUES (1, 'x');
INSERT INTO locked.secret VALUES (1, 'x');
INSERT INTO across VALUES (1, 3000000000, 1), (2, NULL, NULL);

-- Rights; `GRANTS` in hostile.py completes them for a reader.
CREATE TABLE rights_none (id integer PRIMARY KEY, note text);
CREATE TABLE rights_column (id integer PRIMARY KEY, shown text, hidden text);
CREATE TABLE rights_rows (id integer PRIMARY KEY, note text);
CREATE TABLE rights_owner (id integer PRIMARY KEY, note text);
CREATE TABLE rights_to_none (id integer PRIMARY KEY, none_id integer NOT NULL REFERENCES rights_none, other_id integer REFERENCES rights_column);
INSERT INTO rights_none VALUES (1, 'x');
INSERT INTO rights_column VALUES (1, 'x', 'y');
INSERT INTO rights_rows VALUES (1, 'x'), (2, 'y'), (3, 'z');
INSERT INTO rights_owner VALUES (1, 'x');
INSERT INTO rights_to_none VALUES (1, 1, 1);
ALTER TABLE rights_rows ENABLE ROW LEVEL SECURITY;
CREATE POLICY first_two ON rights_rows FOR SELECT USING (id < 3);
ALTER TABLE rights_owner OWNER TO pg_database_owner;

-- The bulk: a chain of tables, and a wide one.
DO $$ BEGIN
    FOR n IN 1..40 LOOP
        EXECUTE format('CREATE TABLE bulk_%s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code varchar(%s) NOT NULL UNIQUE, amount numeric(%s, 2),
            at timestamptz NOT NULL DEFAULT now(), flag boolean, previous_id bigint %s)', n, n + 10, n + 3, CASE WHEN n > 1 THEN 'REFERENCES bulk_' || n - 1 END);
        EXECUTE format('INSERT INTO bulk_%s (code, amount, flag, previous_id) SELECT i, i / 3.0, i %% 2 = 0, %s FROM generate_series(1, 25) i',
            n, CASE WHEN n > 1 THEN 'i' ELSE 'NULL' END);
    END LOOP;
    EXECUTE 'CREATE TABLE bulk_wide (id integer PRIMARY KEY, ' || (SELECT string_agg('c' || n || ' text', ', ') FROM generate_series(1, 200) n) || ')';
    INSERT INTO bulk_wide (id, c1, c200) VALUES (1, 'a', 'z');
END $$;
