using System.Collections.Concurrent;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.Tests;

/// <summary>The jobs that the stores of several "instances" share in memory, as real instances share a database.</summary>
internal sealed class InMemoryJobs
{
    public object Gate { get; } = new();

    public Dictionary<Guid, InMemoryJobStore.Row> Rows { get; } = [];

    public List<InMemoryJobStore> Open { get; } = [];
}

/// <summary>
/// The contract in its simplest form: one lock and one dictionary, and each query reads all jobs. The real stores are compared with it, and
/// the dispatcher is tested on it. It can be made to fail.
/// </summary>
internal sealed class InMemoryJobStore(InMemoryJobs? jobs = null, TimeProvider? time = null) : IJobStore
{
    private readonly InMemoryJobs _jobs = jobs ?? new InMemoryJobs();
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly ExclusiveTurns _turns = new();
    private readonly ConcurrentDictionary<string, int> _calls = new();
    private volatile string? _fault;
    private volatile bool _isMute;
    private volatile bool _isClosed;

    public IJobStoreListener? Listener { get; set; }

    public bool IsShared { get; init; } = true;

    /// <summary>The fault of the store. While it is set, every operation throws.</summary>
    public string? Fault { get => _fault; set => _fault = value; }

    /// <summary>Operations that are executed and whose answer is lost.</summary>
    public ConcurrentDictionary<string, bool> LosesAnswersOf { get; } = new();

    /// <summary>Awaited before each call. Receives the name of the operation.</summary>
    public Func<string, Task>? Before { get; set; }

    /// <summary>Awaited after each call, before its caller gets the answer.</summary>
    public Func<string, Task>? After { get; set; }

    /// <summary>Whether this store notifies its listener of nothing, as if the connection for notifications were lost.</summary>
    public bool IsMute { get => _isMute; set => _isMute = value; }

    /// <summary>How often an operation was called; without a name: all operations together.</summary>
    public int Calls(string? operation = null) => operation is null ? _calls.Values.Sum() : _calls.GetValueOrDefault(operation);

    public Task OpenAsync(CancellationToken cancellation)
    {
        lock (_jobs.Gate)
        {
            _jobs.Open.Add(this);
            if (!IsShared)
            {
                foreach (Row row in _jobs.Rows.Values) row.LeaseEnd = TimeSpan.MinValue;
            }
        }
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        _isClosed = true;
        lock (_jobs.Gate) _jobs.Open.Remove(this);
        return ValueTask.CompletedTask;
    }

    public ValueTask<JobAcceptance> AcceptAsync(NewJob job, CancellationToken cancellation) => AcceptAsync(job, null, default, cancellation);

    public ValueTask<JobAcceptance> AcceptAndClaimAsync(NewJob job, string owner, TimeSpan lease, CancellationToken cancellation) =>
        AcceptAsync(job, owner, lease, cancellation);

    private ValueTask<JobAcceptance> AcceptAsync(NewJob job, string? owner, TimeSpan lease, CancellationToken cancellation) => DoAsync("accept", notifications =>
    {
        if (job.Idempotency is { } key && _jobs.Rows.Values.FirstOrDefault(r => r.New.Idempotency?.Key == key.Key && r.New.Client == job.Client) is { } same)
        {
            bool isSame = same.New.Idempotency!.Fingerprint.Span.SequenceEqual(key.Fingerprint.Span);
            return new JobAcceptance(isSame ? AcceptOutcome.Existing : AcceptOutcome.OtherRequest, same.Job);
        }
        DateTimeOffset now = _time.GetUtcNow(), runAt = job.RunAt ?? now;
        TimeSpan steady = Steady;
        var row = new Row(job, new Job
        {
            Id = job.Id,
            Kind = job.Kind,
            Client = job.Client,
            State = JobState.Queued,
            Version = 1,
            MaxAttempts = job.MaxAttempts,
            Priority = job.Priority,
            Tags = job.Tags,
            CreatedAt = now,
            RunAt = runAt,
            Deadline = runAt + job.Timeout,
        });
        if (runAt <= now) row.BeDue(steady - (now - runAt));
        _jobs.Rows.Add(job.Id, row);
        if (owner is null || runAt > now || Suspects().Any())
        {
            notifications.IsDue = true;
            return new JobAcceptance(AcceptOutcome.Created, row.Job);
        }
        Job accepted = row.Job;
        row.Number++;
        row.LeaseEnd = steady + lease;
        row.Set(notifications, accepted with { State = JobState.Running, Attempt = 1, StartedAt = now, Worker = owner });
        return new JobAcceptance(AcceptOutcome.Created, accepted, row.ToClaim(steady));
    }, cancellation);

    public ValueTask<JobClaims> ClaimAsync(string owner, int max, long maxBytes, TimeSpan lease, KindFilter kinds, CancellationToken cancellation) => DoAsync("claim", notifications =>
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(maxBytes);
        DateTimeOffset now = _time.GetUtcNow();
        TimeSpan steady = Steady;
        Release(now, steady);
        List<Row> queued = [.. _jobs.Rows.Values.Where(r => r.Job.State == JobState.Queued && !(r.Expires <= steady))];
        List<Row> ready =
        [
            .. queued.Where(r => r.Due <= steady).OrderByDescending(static r => r.Job.Priority).ThenBy(static r => r.Due).ThenBy(static r => r.Job.Id),
        ];
        List<Row> running = [.. _jobs.Rows.Values.Where(r => r.Job.State == JobState.Running && r.Job.Worker == owner)];
        if (running.Max(static r => r.AloneUntil) is { } until && until > steady) return new JobClaims([], until - steady, IsPaused: true);
        List<Row> due = [.. ready.Where(r => r.Suspicion == 0 && kinds.Contains(r.Job.Kind)).Take(max)];
        Row? alone = null;
        if (!running.Any(static r => r.Suspicion > 0) && ready.FirstOrDefault(static r => r.Suspicion > 0) is { } suspect)
        {
            bool isAlone = suspect.Suspicion > 1, mayBegin = !isAlone || _turns.IsDue(steady);
            if (isAlone && mayBegin && (running.Count > 0 || !kinds.Contains(suspect.Job.Kind))) return new JobClaims([], TimeSpan.FromSeconds(1), IsPaused: true);
            if ((!mayBegin || !isAlone) && ready.Find(r => r.Suspicion == 1 && kinds.Contains(r.Job.Kind)) is { } other) (suspect, isAlone, mayBegin) = (other, false, true);
            if (kinds.Contains(suspect.Job.Kind) && (mayBegin || (due.Count == 0 && running.Count == 0))) due = [suspect, .. isAlone ? [] : due.Take(max - 1)];
            if (due.Contains(suspect) && isAlone) alone = suspect;
        }
        long left = maxBytes;
        int fit = due.TakeWhile(r => (left -= r.New.Payload.Body.Length) >= 0).Count();
        bool isOutOfBytes = fit < due.Count;
        due.RemoveRange(fit, due.Count - fit);
        if (alone is not null && due.Contains(alone))
        {
            _turns.Began(steady);
            alone.AloneUntil = steady + ExclusiveTurns.AloneFor(alone.Suspicion);
        }
        foreach (Row row in due)
        {
            row.Number++;
            row.LeaseEnd = steady + lease;
            row.EndedNumber = null;
            row.IsAccompanied = false;
            row.Set(notifications, row.Job with { State = JobState.Running, Attempt = row.Job.Attempt + 1, StartedAt = now, Worker = owner, Progress = null });
        }
        TimeSpan? next = due.Count == 0 && queued.Count > 0 ? queued.Where(r => !(r.Due <= steady) || kinds.Contains(r.Job.Kind)).Min(r => (TimeSpan?)(r.Due is { } then ? then - steady : r.Job.RunAt - now)) : null;
        long inline = 0;
        return new JobClaims([.. due.Select(r => Claim(r.ToClaim(steady), ref inline))], next, IsOutOfBytes: isOutOfBytes);
    }, cancellation);

    public ValueTask<ReadOnlyMemory<byte>?> ReadBodyAsync(JobClaim claim, CancellationToken cancellation) => DoAsync(
        "body", _ => _jobs.Rows.TryGetValue(claim.Job.Id, out Row? row) && !row.IsSwept ? row.New.Payload.Body : (ReadOnlyMemory<byte>?)null, cancellation);

    private static JobClaim Claim(JobClaim claim, ref long inline)
    {
        JobPayload payload = claim.Payload;
        if (payload.Body.Length <= BodyLimits.Inline && (inline += payload.Body.Length) <= BodyLimits.InlineTogether) return claim;
        return claim with { Payload = payload.WithBody(default), UnreadBytes = payload.Body.Length };
    }

    public ValueTask<bool> FinishAsync(JobClaim claim, JobEnd ending, CancellationToken cancellation) => DoAsync("finish", notifications =>
    {
        if (!_jobs.Rows.TryGetValue(claim.Job.Id, out Row? row)) return false;
        if (row.EndedNumber == claim.Number) return true;
        if (!row.IsHeldBy(claim))
        {
            row.Acquit(claim);
            return false;
        }
        row.Suspicion = 0;
        notifications.IsDue |= Suspects().Any();
        row.EndedNumber = claim.Number;
        DateTimeOffset now = _time.GetUtcNow();
        if (ending.State != JobState.Queued)
        {
            row.Result = ending.Result;
            row.End(notifications, ending.State, ending.Error, now, Steady);
        }
        else if (row.Job.IsCancelRequested)
        {
            row.End(notifications, JobState.Cancelled, ending.Error, now, Steady);
        }
        else
        {
            row.Due = Steady + ending.RetryAfter;
            row.Keep(PastOutcome.Retried, now, ending.Error);
            row.Queue(notifications, row.Job with { Error = ending.Error, RunAt = now + ending.RetryAfter });
        }
        return true;
    }, cancellation);

    public async ValueTask HandBackAsync(IReadOnlyList<JobClaim> claims, CancellationToken cancellation) => await DoAsync("hand back", notifications =>
    {
        foreach (JobClaim claim in claims)
        {
            if (!_jobs.Rows.TryGetValue(claim.Job.Id, out Row? row) || !row.IsHeldBy(claim)) continue;
            if (row.Job.IsCancelRequested)
            {
                row.End(notifications, JobState.Cancelled, null, _time.GetUtcNow(), Steady);
            }
            else
            {
                row.Keep(PastOutcome.HandedBack, _time.GetUtcNow());
                row.Queue(notifications, row.Job with { Attempt = row.Job.Attempt - 1, StartedAt = row.Job.Attempt > 1 ? row.Job.StartedAt : null });
            }
        }
        return true;
    }, cancellation);

    public ValueTask<IReadOnlyList<LeaseState>> RenewAsync(IReadOnlyList<JobClaim> claims, TimeSpan lease, CancellationToken cancellation) =>
        DoAsync<IReadOnlyList<LeaseState>>("renew", _ =>
        {
            var states = new List<LeaseState>();
            foreach (JobClaim claim in claims)
            {
                bool isHeld = _jobs.Rows.TryGetValue(claim.Job.Id, out Row? row) && row.IsHeldBy(claim);
                if (isHeld) row!.LeaseEnd = Steady + lease;
                else row?.Acquit(claim);
                states.Add(!isHeld ? LeaseState.Lost : row!.Job.IsCancelRequested ? LeaseState.CancelRequested : LeaseState.Held);
            }
            return states;
        }, cancellation);

    public async ValueTask ReportProgressAsync(JobClaim claim, double progress, CancellationToken cancellation) => await DoAsync("progress", notifications =>
    {
        if (_jobs.Rows.TryGetValue(claim.Job.Id, out Row? row) && row.IsHeldBy(claim)) row.Set(notifications, row.Job with { Progress = progress });
        return true;
    }, cancellation);

    public ValueTask<Job?> GetAsync(Guid id, CancellationToken cancellation) =>
        DoAsync("get", _ => _jobs.Rows.GetValueOrDefault(id)?.ToJob(Steady), cancellation);

    public ValueTask<StoredPayload?> GetPayloadAsync(Guid id, long maxBytes, CancellationToken cancellation) => DoAsync("payload", _ =>
    {
        if (!_jobs.Rows.TryGetValue(id, out Row? row) || row.IsSwept) return null;
        JobPayload payload = row.New.Payload;
        return payload.Body.Length > maxBytes ? new StoredPayload(payload.WithBody(default), payload.Body.Length) : new StoredPayload(payload, 0);
    }, cancellation);

    public ValueTask<IReadOnlyList<Job>> FindByKeyAsync(string key, CancellationToken cancellation) => DoAsync<IReadOnlyList<Job>>("find key", _ =>
    [
        .. _jobs.Rows.Values.Where(r => r.New.Idempotency?.Key == key).Select(r => r.ToJob(Steady)).OrderByDescending(static j => j.Id).Take(IJobStore.MostOfKey),
    ], cancellation);

    public bool ReportsRemoteChanges { get; init; } = true;

    public ValueTask<IReadOnlyList<int>> FindChangedAsync(IReadOnlyList<KnownVersion> known, CancellationToken cancellation) => DoAsync<IReadOnlyList<int>>(
        "find changed", _ => [.. Enumerable.Range(0, known.Count).Where(i => _jobs.Rows.GetValueOrDefault(known[i].Id)?.Job.Version != known[i].Version)],
        cancellation);

    public ValueTask<JobWithResult?> GetResultAsync(Guid id, long maxBytes, CancellationToken cancellation) => DoAsync("result", _ =>
    {
        if (!_jobs.Rows.TryGetValue(id, out Row? row)) return null;
        return row.Result is { } result && result.Body.Length > maxBytes
            ? new JobWithResult(row.Job, result with { Body = default }, row.IsSwept) { UnreadBytes = result.Body.Length }
            : new JobWithResult(row.Job, row.Result, row.IsSwept);
    }, cancellation);

    public ValueTask<JobPage> ListAsync(JobQuery query, CancellationToken cancellation) => DoAsync("list", _ =>
    {
        List<Job> found =
        [
            .. _jobs.Rows.Values.Select(r => r.ToJob(Steady))
                .Where(j => query.Client is null || j.Client == query.Client)
                .Where(j => query.State is null || j.State == query.State)
                .Where(j => query.Kind is null || j.Kind == query.Kind)
                .Where(j => query.Tag is null || j.Tags.Contains(query.Tag))
                .Where(j => query.After is not { } after || j.Id.CompareTo(after) < 0)
                .OrderByDescending(static j => j.Id)
                .Take(query.Limit + 1),
        ];
        return new JobPage([.. found.Take(query.Limit)], found.Count > query.Limit);
    }, cancellation);

    public ValueTask<JobTransition?> CancelAsync(Guid id, CancellationToken cancellation) => DoAsync("cancel", notifications =>
    {
        if (!_jobs.Rows.TryGetValue(id, out Row? row)) return null;
        JobState before = row.Job.State;
        if (before == JobState.Queued) row.End(notifications, JobState.Cancelled, row.Job.Error, _time.GetUtcNow(), Steady);
        else if (before == JobState.Running && !row.Job.IsCancelRequested) row.Set(notifications, row.Job with { IsCancelRequested = true });
        return new JobTransition(before, row.Job);
    }, cancellation);

    public ValueTask<JobTransition?> RetryAsync(Guid id, CancellationToken cancellation) => DoAsync("retry", notifications =>
    {
        if (!_jobs.Rows.TryGetValue(id, out Row? row)) return null;
        JobState before = row.Job.State;
        if (before is JobState.Failed or JobState.Cancelled or JobState.Expired && !row.IsSwept)
        {
            DateTimeOffset now = _time.GetUtcNow();
            row.Result = null;
            row.Redeliveries = 0;
            row.EndedNumber = null;
            (row.Suspicion, row.Deaths, row.LostNumber) = (0, 0, null);
            row.BeDue(Steady);
            row.Queue(notifications, row.Job with
            {
                Attempt = 0,
                Earlier = PastAttempts.Add(row.Job.Earlier, PastAttempts.EndOf(row.Job)),
                RunAt = now,
                Deadline = now + row.New.Timeout,
                StartedAt = null,
                FinishedAt = null,
                Error = null,
                Progress = null,
            });
        }
        return new JobTransition(before, row.Job);
    }, cancellation);

    public ValueTask<MaintenanceReport> MaintainAsync(MaintenanceRules rules, CancellationToken cancellation) => DoAsync("maintain", notifications =>
    {
        DateTimeOffset now = _time.GetUtcNow();
        TimeSpan steady = Steady;
        Release(now, steady);
        int touched = 0, expired = 0, poisoned = 0, swept = 0;
        long bytes = 0;
        bool isOutOfBytes = false;
        var redelivered = new Dictionary<string, int>();
        foreach (Row row in _jobs.Rows.Values.ToList())
        {
            if (touched == rules.Limit) break;
            touched++;
            if (row.Job.State == JobState.Queued && row.Expires <= steady)
            {
                row.End(notifications, JobState.Expired, JobError.Expired, now, steady);
                expired++;
            }
            else if (rules.MayRedeliver && row.Job.State == JobState.Running && row.LeaseEnd <= steady)
            {
                List<Row> others = [.. _jobs.Rows.Values.Where(r => r != row && r.Job.State == JobState.Running && r.Job.Worker == row.Job.Worker)];
                foreach (Row other in others) other.IsAccompanied = true;
                row.IsAccompanied |= others.Count > 0;
                if (row.Job.IsCancelRequested)
                {
                    row.End(notifications, JobState.Cancelled, null, now, steady);
                }
                else if (!row.IsAccompanied && row.Deaths >= rules.MaxRedeliveries)
                {
                    row.End(notifications, JobState.Failed, JobError.Poison, now, steady);
                    poisoned++;
                }
                else
                {
                    row.Keep(PastOutcome.Lost, now);
                    row.Lose();
                    row.Queue(notifications, row.Job);
                    redelivered[row.Job.Kind] = redelivered.GetValueOrDefault(row.Job.Kind) + 1;
                }
            }
            else if (row.Ended + rules.Retention <= steady && swept > 0 && bytes + row.Bytes > rules.SweepBytes)
            {
                isOutOfBytes = true;
                touched--;
            }
            else if (row.Ended + (rules.Retention * 2) <= steady)
            {
                bytes += row.Bytes;
                _jobs.Rows.Remove(row.Job.Id);
                swept++;
            }
            else if (row.Ended + rules.Retention <= steady && !row.IsSwept)
            {
                bytes += row.Bytes;
                (row.Result, row.IsSwept) = (null, true);
                row.Set(notifications, row.Job);
                swept++;
            }
            else
            {
                touched--;
            }
        }
        return new MaintenanceReport(expired, redelivered, poisoned, swept, isOutOfBytes || touched == rules.Limit);
    }, cancellation);

    public ValueTask<IReadOnlyDictionary<JobState, long>> CountAsync(CancellationToken cancellation) => DoAsync<IReadOnlyDictionary<JobState, long>>(
        "count", _ => JobStates.All.ToDictionary(static s => s, s => _jobs.Rows.Values.LongCount(r => r.Job.State == s)), cancellation);

    /// <summary>A time that cannot jump.</summary>
    private TimeSpan Steady => _time.GetElapsedTime(0);

    private IEnumerable<Row> Suspects() => _jobs.Rows.Values.Where(static r => r.Job.State <= JobState.Running && r.Suspicion > 0);

    /// <summary>Makes jobs due whose scheduled time has passed.</summary>
    private void Release(DateTimeOffset now, TimeSpan steady)
    {
        foreach (Row row in _jobs.Rows.Values)
        {
            if (row.Due is null && row.Job.RunAt <= now) row.BeDue(steady - (now - row.Job.RunAt));
        }
    }

    private async ValueTask<T> DoAsync<T>(string operation, Func<Notifications, T> body, CancellationToken cancellation)
    {
        _calls.AddOrUpdate(operation, 1, static (_, n) => n + 1);
        cancellation.ThrowIfCancellationRequested();
        if (Before is { } before) await before(operation);
        if (_isClosed) throw new JobStoreUnavailableException("The job store is closed.");
        if (Fault is { } fault) throw new JobStoreUnavailableException(fault);
        var notifications = new Notifications();
        T result;
        List<InMemoryJobStore> open;
        lock (_jobs.Gate)
        {
            result = body(notifications);
            open = [.. _jobs.Open];
        }
        foreach (InMemoryJobStore store in open)
        {
            if (store.IsMute || store.Listener is not { } listener) continue;
            foreach (JobChange change in notifications.Changes) listener.Changed(change);
            if (notifications.IsDue) listener.MayBeDue();
        }
        if (After is { } after) await after(operation);
        if (LosesAnswersOf.ContainsKey(operation)) throw new JobStoreUnavailableException("The answer was lost.");
        return result;
    }

    internal sealed class Notifications
    {
        public List<JobChange> Changes { get; } = [];

        public bool IsDue { get; set; }
    }

    internal sealed class Row(NewJob accepted, Job job)
    {
        public NewJob New { get; } = accepted;

        public Job Job { get; private set; } = job;

        public long Number { get; set; }

        /// <summary>The number of the claim that last wrote an end, so that the caller can repeat the write.</summary>
        public long? EndedNumber { get; set; }

        public TimeSpan LeaseEnd { get; set; }

        /// <summary>The monotonic time from which the job is due; <see langword="null"/>: it is due at its time of day.</summary>
        public TimeSpan? Due { get; set; }

        public TimeSpan? Expires { get; private set; }

        public TimeSpan? Ended { get; private set; }

        public int Suspicion { get; set; }

        public int Deaths { get; set; }

        public bool IsAccompanied { get; set; }

        public TimeSpan? AloneUntil { get; set; }

        public long? LostNumber { get; set; }

        public int Redeliveries { get; set; }

        public JobResult? Result { get; set; }

        public bool IsSwept { get; set; }

        /// <summary>The number of bytes that a sweep of the job deletes.</summary>
        public long Bytes => IsSwept ? 0 : New.Payload.Body.Length + (Result?.Body.Length ?? 0);

        public bool IsHeldBy(JobClaim claim) => Job.State == JobState.Running && Number == claim.Number;

        public void Set(Notifications notifications, Job changed)
        {
            Job = changed with { Version = Job.Version + 1 };
            notifications.Changes.Add(new JobChange(Job.Id, Job.Version, Job.IsCancelRequested));
        }

        public Job ToJob(TimeSpan steady) => Job.State == JobState.Running ? Job with { LeaseLeft = LeaseEnd - steady } : Job;

        /// <summary>Adds the running attempt to the earlier ones. It ends now and is not the job's last.</summary>
        public void Keep(PastOutcome outcome, DateTimeOffset now, JobError? error = null) => Job = Job with
        {
            Earlier = PastAttempts.Add(Job.Earlier, new PastAttempt(Job.Attempt, Job.StartedAt, now, Job.Worker, outcome, error)),
        };

        public void BeDue(TimeSpan since) => (Due, Expires) = (since, since + New.Timeout);

        public JobClaim ToClaim(TimeSpan now) => new(Job, New.Payload, Number, Redeliveries, Number == 1) { TimeLeft = Expires - now };

        public void Lose()
        {
            Redeliveries++;
            Suspicion++;
            LostNumber = Number;
            if (!IsAccompanied) Deaths++;
        }

        /// <summary>The owner of the claim lives, so the loss of the lease does not count as a death.</summary>
        public void Acquit(JobClaim claim)
        {
            if (LostNumber != claim.Number || Job.State != JobState.Queued) return;
            LostNumber = null;
            Suspicion--;
            if (!IsAccompanied) Deaths--;
        }

        public void Queue(Notifications notifications, Job changed)
        {
            AloneUntil = null;
            Ended = null;
            Set(notifications, changed with { State = JobState.Queued, IsCancelRequested = false, Progress = null });
            notifications.IsDue = true;
        }

        public void End(Notifications notifications, JobState state, JobError? error, DateTimeOffset now, TimeSpan steady)
        {
            (Ended, Suspicion, AloneUntil) = (steady, 0, null);
            Set(notifications, Job with { State = state, Error = error, FinishedAt = now, IsCancelRequested = false });
        }
    }
}
