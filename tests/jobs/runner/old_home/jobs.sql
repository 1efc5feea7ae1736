BEGIN TRANSACTION;
CREATE TABLE deps(
  job TEXT NOT NULL, needs TEXT NOT NULL, PRIMARY KEY(job, needs)) WITHOUT ROWID;
INSERT INTO "deps" VALUES('ingest_clips-20261126-190911-1c4f','ingest_clips-20261126-190910-4691');
CREATE TABLE events(
  seq INTEGER PRIMARY KEY, job TEXT NOT NULL, attempt INTEGER NOT NULL, at REAL NOT NULL, state TEXT NOT NULL,
  exit_code INTEGER, detail TEXT NOT NULL);
INSERT INTO "events" VALUES(1,'ingest_clips-20261126-190901-1edf',1,1.79572014117001438142e+09,'starting',NULL,'');
INSERT INTO "events" VALUES(2,'ingest_clips-20261126-190901-1edf',1,1.79572014123301959033e+09,'running',NULL,'');
INSERT INTO "events" VALUES(3,'ingest_clips-20261126-190901-1edf',1,1.79572014498500084878e+09,'succeeded',0,'');
INSERT INTO "events" VALUES(4,'ingest_clips-20261126-190905-210d',1,1.79572014556701326374e+09,'starting',NULL,'');
INSERT INTO "events" VALUES(5,'ingest_clips-20261126-190905-210d',1,1.79572014562498927115e+09,'running',NULL,'');
INSERT INTO "events" VALUES(6,'ingest_clips-20261126-190905-210d',1,1.79572014809099888806e+09,'failed',1,'all_clips_rejected: None of the 1 lines of @INPUT@/transcripts.jsonl gave a clip; 1 times the reason was unreadable (line 1: @INPUT@/bad/0001.wav is not audio that can be decoded (Invalid data found when processing input).).');
INSERT INTO "events" VALUES(7,'ingest_clips-20261126-190908-cf56',0,1.7957201499889969826e+09,'cancelled',NULL,'cancelled before it started');
CREATE TABLE jobs(
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  spec_hash TEXT NOT NULL,
  fingerprint TEXT,
  document TEXT NOT NULL,
  resource TEXT NOT NULL,
  environment TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'queued' CHECK(
    state IN ('queued', 'starting', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted')),
  attempt INTEGER NOT NULL DEFAULT 0,  -- fence: a shim of an older attempt loses every compare-and-swap
  tries INTEGER NOT NULL DEFAULT 0,    -- attempts that really ran
  max_tries INTEGER NOT NULL,
  cancel INTEGER NOT NULL DEFAULT 0,
  exit_code INTEGER, reason TEXT, detail TEXT NOT NULL DEFAULT '', result TEXT, failure TEXT,
  created_at REAL NOT NULL, started_at REAL, ended_at REAL,
  priority INTEGER NOT NULL DEFAULT 0, not_before REAL, max_run_s REAL, backend TEXT NOT NULL DEFAULT 'local', backend_ref TEXT, memory_mb INTEGER);
INSERT INTO "jobs" VALUES(1,'ingest_clips-20261126-190901-1edf','ingest_clips','a19c1d79f24fdf5a9afa6967abe67bbe44ec25e68690f58ad5a50180a62631c7','91ce8ea5624c3115106601b5a36e46e51346bb2d66c5953d3e1ffbb128da9e93','{"job_id": "ingest_clips-20261126-190901-1edf", "kind": "ingest_clips", "params": {"audio_dir": "@INPUT@/clips", "transcripts": "@INPUT@/transcripts.jsonl", "out_dir": "@HOME@/datasets/done", "voice": "done", "language": "english", "min_clip_s": 0.5, "max_clip_s": 30.0, "validation_share": 0.05, "export": [], "quality": {"dnsmos": "off", "text_match": "off", "reject": false}}, "fingerprint": "91ce8ea5624c3115106601b5a36e46e51346bb2d66c5953d3e1ffbb128da9e93", "entry": "jobs.ingest_clips.work:run", "spec": "jobs.ingest_clips.spec", "environment": "ml", "created_at": 1795720141.1089504, "settings": {"envs": "@ENVS@", "roots": ["@PROJECT@", "/"], "hub_cache": "@CACHE@/hub", "torch_cache": "@CACHE@", "gpus": null, "backend": "local"}}','cpu','ml','succeeded',1,1,3,0,0,NULL,'','{"dataset": "@HOME@/datasets/done", "manifest": "@HOME@/datasets/done/train_manifest.jsonl", "n_clips": 1, "n_rejected": 0, "kept_s": 0.6, "rejected_by_reason": {}, "n_validation": 0, "report": "@HOME@/datasets/done/report.html", "summary": "transcripts.jsonl: kept 0:00.6 in 1 clips.\nMedian of the kept clips: SNR 11 dB, loudness -18 LUFS, rate 8.5/s.\nNothing is held out for validation.\nReference clip: clips/0001.wav.\nNote: The voice of done was not checked: of 1 clips too few are good (needs 5).\nNote: Nothing was rejected for its quality: quality.reject is off."}',NULL,1.79572014110895037657e+09,1.79572014123281717304e+09,1.79572014498549366e+09,0,NULL,NULL,'local',NULL,NULL);
INSERT INTO "jobs" VALUES(2,'ingest_clips-20261126-190905-210d','ingest_clips','9c4c2502939927b34f222d3e11654894da28de91aba16f9a0db8c96588434e21','d91a7d45ae51d1093c482a1924e9c4d85be6b4a32b08e593aacac1c2f19f2124','{"job_id": "ingest_clips-20261126-190905-210d", "kind": "ingest_clips", "params": {"audio_dir": "@INPUT@/bad", "transcripts": "@INPUT@/transcripts.jsonl", "out_dir": "@HOME@/datasets/failed", "voice": "failed", "language": "english", "min_clip_s": 0.5, "max_clip_s": 30.0, "validation_share": 0.05, "export": [], "quality": {"dnsmos": "off", "text_match": "off", "reject": false}}, "fingerprint": "d91a7d45ae51d1093c482a1924e9c4d85be6b4a32b08e593aacac1c2f19f2124", "entry": "jobs.ingest_clips.work:run", "spec": "jobs.ingest_clips.spec", "environment": "ml", "created_at": 1795720145.564583, "settings": {"envs": "@ENVS@", "roots": ["@PROJECT@", "/"], "hub_cache": "@CACHE@/hub", "torch_cache": "@CACHE@", "gpus": null, "backend": "local"}}','cpu','ml','failed',1,1,3,0,1,'exit','all_clips_rejected: None of the 1 lines of @INPUT@/transcripts.jsonl gave a clip; 1 times the reason was unreadable (line 1: @INPUT@/bad/0001.wav is not audio that can be decoded (Invalid data found when processing input).).',NULL,'{"code": "all_clips_rejected", "message": "None of the 1 lines of @INPUT@/transcripts.jsonl gave a clip; 1 times the reason was unreadable (line 1: @INPUT@/bad/0001.wav is not audio that can be decoded (Invalid data found when processing input).).", "hint": "Look into @HOME@/datasets/failed/rejections.jsonl, mend the transcripts or audio_dir, and start again.", "reason": "exit"}',1.79572014556458306316e+09,1.79572014562525320057e+09,1.79572014809091043473e+09,0,NULL,NULL,'local',NULL,NULL);
INSERT INTO "jobs" VALUES(3,'ingest_clips-20261126-190908-cf56','ingest_clips','3533faeb1598b8c04e8b9161bb5dd0db66dc708c1365f3c820b859c5df3d8b4d','f6599bc790b4d02f42a9fa5b81e1fa5e8ff904ae65d2513e08d99c419db1559b','{"job_id": "ingest_clips-20261126-190908-cf56", "kind": "ingest_clips", "params": {"audio_dir": "@INPUT@/clips", "transcripts": "@INPUT@/transcripts.jsonl", "out_dir": "@HOME@/datasets/cancelled", "voice": "cancelled", "language": "english", "min_clip_s": 0.5, "max_clip_s": 30.0, "validation_share": 0.05, "export": [], "quality": {"dnsmos": "off", "text_match": "off", "reject": false}}, "fingerprint": "f6599bc790b4d02f42a9fa5b81e1fa5e8ff904ae65d2513e08d99c419db1559b", "entry": "jobs.ingest_clips.work:run", "spec": "jobs.ingest_clips.spec", "environment": "ml", "created_at": 1795720148.7860436, "settings": {"envs": "@ENVS@", "roots": ["@PROJECT@", "/"], "hub_cache": "@CACHE@/hub", "torch_cache": "@CACHE@", "gpus": null, "backend": "local"}}','cpu','ml','cancelled',0,0,3,1,NULL,'cancelled','cancelled before it started',NULL,NULL,1.79572014878604364397e+09,NULL,1.79572014998952054977e+09,0,1.79744814878465390206e+09,NULL,'local',NULL,NULL);
INSERT INTO "jobs" VALUES(4,'ingest_clips-20261126-190910-4691','ingest_clips','fb0a786c6b6f45a658f2d7a308e20edf6e61fe58aed66ea2db9797372a4f997b','e9257f5e063fd8b802213c2c33d73e2b54bc8eec12000038efa62e456b1810b4','{"job_id": "ingest_clips-20261126-190910-4691", "kind": "ingest_clips", "params": {"audio_dir": "@INPUT@/clips", "transcripts": "@INPUT@/transcripts.jsonl", "out_dir": "@HOME@/datasets/queued", "voice": "queued", "language": "english", "min_clip_s": 0.5, "max_clip_s": 30.0, "validation_share": 0.05, "export": [], "quality": {"dnsmos": "off", "text_match": "off", "reject": false}}, "fingerprint": "e9257f5e063fd8b802213c2c33d73e2b54bc8eec12000038efa62e456b1810b4", "entry": "jobs.ingest_clips.work:run", "spec": "jobs.ingest_clips.spec", "environment": "ml", "created_at": 1795720150.496983, "settings": {"envs": "@ENVS@", "roots": ["@PROJECT@", "/"], "hub_cache": "@CACHE@/hub", "torch_cache": "@CACHE@", "gpus": null, "backend": "local"}}','cpu','ml','queued',0,0,3,0,NULL,NULL,'',NULL,NULL,1.79572015049698305126e+09,NULL,NULL,0,1.79572033049559593199e+09,NULL,'local',NULL,NULL);
INSERT INTO "jobs" VALUES(5,'ingest_clips-20261126-190911-1c4f','ingest_clips','8c8a750cfe3222335514180a3ba04870c4e82a20130e989c33394fd245009858','1eeb0fd943aeb87a59603ce0ee256e2665364676d4a71d204af4f5726e1b3426','{"job_id": "ingest_clips-20261126-190911-1c4f", "kind": "ingest_clips", "params": {"audio_dir": "@INPUT@/clips", "transcripts": "@INPUT@/transcripts.jsonl", "out_dir": "@HOME@/datasets/after", "voice": "after", "language": "english", "min_clip_s": 0.5, "max_clip_s": 30.0, "validation_share": 0.05, "export": [], "quality": {"dnsmos": "off", "text_match": "off", "reject": false}}, "fingerprint": "1eeb0fd943aeb87a59603ce0ee256e2665364676d4a71d204af4f5726e1b3426", "entry": "jobs.ingest_clips.work:run", "spec": "jobs.ingest_clips.spec", "environment": "ml", "created_at": 1795720151.366436, "settings": {"envs": "@ENVS@", "roots": ["@PROJECT@", "/"], "hub_cache": "@CACHE@/hub", "torch_cache": "@CACHE@", "gpus": null, "backend": "local"}}','cpu','ml','queued',0,0,3,0,NULL,NULL,'',NULL,NULL,1.79572015136643600456e+09,NULL,NULL,0,NULL,NULL,'local',NULL,NULL);
CREATE TABLE keys(
  key TEXT PRIMARY KEY, job TEXT NOT NULL REFERENCES jobs(id), spec_hash TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE leases(
  resource TEXT NOT NULL, unit INTEGER NOT NULL, job TEXT NOT NULL, attempt INTEGER NOT NULL, UNIQUE(resource, unit));
CREATE TABLE schedules(
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, document TEXT NOT NULL, resource TEXT NOT NULL, environment TEXT NOT NULL,
  max_tries INTEGER NOT NULL, every_s REAL, cron TEXT, tz TEXT, catch_up INTEGER NOT NULL DEFAULT 0, next_at REAL,
  last_job TEXT, n_runs INTEGER NOT NULL DEFAULT 0, enabled INTEGER NOT NULL DEFAULT 1, created_at REAL NOT NULL,
  note TEXT NOT NULL DEFAULT '');
INSERT INTO "schedules" VALUES('weekly','ingest_clips','{"spec": "jobs.ingest_clips.spec", "params": {"audio_dir": "@INPUT@/clips", "transcripts": "@INPUT@/transcripts.jsonl", "out_dir": "@HOME@/datasets/weekly", "voice": "weekly", "language": "english", "min_clip_s": 0.5, "max_clip_s": 30.0, "validation_share": 0.05, "export": [], "quality": {}}, "placement": {}, "roots": ["@PROJECT@", "/"]}','cpu','ml',3,3024000000.0,NULL,'UTC',1,4.81972015175568199154e+09,NULL,0,1,1.79572015175568223e+09,'');
CREATE INDEX jobs_live ON jobs(state, cancel, resource, seq) WHERE state IN ('queued', 'starting', 'running', 'interrupted');
CREATE INDEX jobs_fingerprint ON jobs(fingerprint, seq) WHERE fingerprint IS NOT NULL;
CREATE INDEX jobs_kind ON jobs(kind, seq);
CREATE INDEX events_job ON events(job, seq);
CREATE TRIGGER job_event AFTER UPDATE OF state ON jobs WHEN old.state <> new.state BEGIN
  INSERT INTO events(job, attempt, at, state, exit_code, detail) VALUES(
    new.id, new.attempt, (julianday('now') - 2440587.5) * 86400.0, new.state, new.exit_code, new.detail);
END;
CREATE TRIGGER final_states BEFORE UPDATE OF state ON jobs
WHEN old.state IN ('succeeded', 'failed', 'cancelled') BEGIN
  SELECT RAISE(ABORT, 'a terminal state is final');
END;
CREATE INDEX jobs_queue ON jobs(resource, priority DESC, seq) WHERE state = 'queued';
CREATE INDEX jobs_state ON jobs(state, seq);
CREATE INDEX jobs_kind_state ON jobs(kind, state, seq);
CREATE INDEX deps_needs ON deps(needs);
CREATE INDEX jobs_due ON jobs(not_before) WHERE state = 'queued' AND not_before IS NOT NULL;
CREATE TRIGGER dependency_failed AFTER UPDATE OF state ON jobs
WHEN new.state IN ('failed', 'cancelled') BEGIN
  UPDATE jobs SET state = 'cancelled', reason = 'dependency', ended_at = new.ended_at,
    detail = CASE new.reason WHEN 'dependency' THEN new.detail ELSE
      'needs ' || new.id || ', which '
      || iif(new.state = 'failed', 'failed (' || coalesce(new.reason, 'exit') || '): ', 'was cancelled: ')
      || new.detail END
    WHERE state = 'queued' AND id IN (SELECT job FROM deps WHERE needs = new.id);
END;
CREATE TRIGGER lease_ends AFTER UPDATE OF state ON jobs
WHEN old.state IN ('starting', 'running') AND new.state NOT IN ('starting', 'running') BEGIN
  DELETE FROM leases WHERE job = new.id;
END;
COMMIT;
PRAGMA user_version=2;
