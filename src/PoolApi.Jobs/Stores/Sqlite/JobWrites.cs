using PoolApi.Threading;

namespace PoolApi.Jobs.Stores.Sqlite;

/// <summary>What callers ask the store to write. On the writer's thread, within its transaction.</summary>
internal sealed class JobWrites(Database database, JobReads reads, JobTable table, Batch batch)
{
    private static readonly WorkPriority[] HighestFirst = [WorkPriority.High, WorkPriority.Normal, WorkPriority.Low];

    private readonly Statement _due = database.Prepare(
        $"SELECT {JobColumns.All} FROM jobs WHERE state = 0 AND priority = ? AND run_at <= ? AND (deadline IS NULL OR deadline > ?) " +
        "ORDER BY run_at, id LIMIT ?");

    private readonly Statement _nextDue = database.Prepare(
        "SELECT run_at FROM jobs WHERE state = 0 AND priority = ? AND run_at > ? ORDER BY run_at LIMIT 1");

    /// <param name="job">The job.</param>
    /// <param name="owner">Who claims it as well, if it is due; <see langword="null"/>: nobody.</param>
    /// <param name="lease">For how long.</param>
    public JobAcceptance Accept(NewJob job, string? owner, TimeSpan lease)
    {
        if (job.Idempotency is { } key && table.FindKey(job.Client, key.Key) is { } taken)
        {
            Job first = Existing(taken.Id).ToJob();
            bool same = key.Fingerprint.Span.SequenceEqual(taken.Fingerprint);
            return new JobAcceptance(same ? AcceptOutcome.Existing : AcceptOutcome.OtherRequest, first);
        }
        DateTimeOffset due = Moments.Stored(job.RunAt ?? batch.Now);
        var row = new JobRow
        {
            Id = job.Id,
            Kind = job.Kind,
            Client = job.Client,
            State = JobState.Queued,
            MaxAttempts = job.MaxAttempts,
            Priority = job.Priority,
            Tags = job.Tags,
            CreatedAt = batch.Now,
            RunAt = due,
            Timeout = job.Timeout,
            Deadline = job.Timeout is { } timeout ? Moments.After(due, timeout) : null,
            IdempotencyKey = job.Idempotency?.Key,
        };
        Job accepted = row.ToJob();
        if (owner is null || due > batch.Now)
        {
            table.Insert(row, job.Payload, job.Idempotency);
            return new JobAcceptance(AcceptOutcome.Created, accepted);
        }
        // As if it had been queued for a moment.
        row.Version++;
        Take(row, owner, lease);
        table.Insert(row, job.Payload, job.Idempotency);
        return new JobAcceptance(AcceptOutcome.Created, accepted, new JobClaim(row.ToJob(), job.Payload, row.Claim, row.Redeliveries, IsFirst: true));
    }

    public JobClaims Claim(string owner, int max, long maxBytes, TimeSpan lease)
    {
        var rows = new List<JobRow>();
        foreach (WorkPriority priority in HighestFirst)
        {
            if (rows.Count == max) break;
            using Statement.Rows due = _due.Add((int)priority).Add(batch.Now).Add(batch.Now).Add(max - rows.Count).Query();
            while (due.Next()) rows.Add(JobColumns.Read(_due));
        }
        var claims = new List<JobClaim>(rows.Count);
        long bytes = 0, inline = 0;
        foreach (JobRow row in rows)
        {
            long length = reads.BodyLength(row);
            if (length > maxBytes - bytes) return new JobClaims(claims, null, IsOutOfBytes: true);
            bytes += length;
            // The writer's thread reads no large body: everybody else would wait for it.
            bool isInline = length <= BodyLimits.Inline && inline + length <= BodyLimits.InlineTogether;
            if (isInline) inline += length;
            JobPayload payload = isInline ? reads.Payload(row) : reads.PayloadHead(row);
            Take(row, owner, lease);
            table.Save(row);
            claims.Add(new JobClaim(row.ToJob(), payload, row.Claim, row.Redeliveries, IsFirst: row.Claim == 1) { UnreadBytes = isInline ? 0 : length });
        }
        return new JobClaims(claims, claims.Count == 0 ? NextDue() : null);
    }

    public bool Finish(JobClaim claim, JobEnd ending)
    {
        if (reads.Find(claim.Job.Id) is not { } row) return false;
        if (row.Claim == claim.Number && row.EndedClaim == claim.Number) return true; // its answer was lost
        if (!row.IsHeldBy(claim)) return false;
        row.EndedClaim = claim.Number;
        if (ending.State.IsFinal())
        {
            table.SetResult(row, ending.Result);
            row.End(ending.State, batch.Now, ending.Error);
        }
        else if (row.IsCancelRequested)
        {
            // Who wants it cancelled does not want it tried again.
            row.End(JobState.Cancelled, batch.Now, ending.Error);
        }
        else
        {
            row.Queue();
            row.Error = ending.Error;
            row.RunAt = Moments.After(batch.Now, ending.RetryAfter);
        }
        table.Save(row);
        return true;
    }

    public bool HandBack(IReadOnlyList<JobClaim> claims)
    {
        foreach (JobClaim claim in claims)
        {
            if (reads.Find(claim.Job.Id) is not { } row || !row.IsHeldBy(claim)) continue;
            if (row.IsCancelRequested)
            {
                row.End(JobState.Cancelled, batch.Now, row.Error);
            }
            else
            {
                row.Queue();
                row.Attempt--;
                if (row.Attempt == 0) row.StartedAt = null;
            }
            table.Save(row);
        }
        return true;
    }

    public IReadOnlyList<LeaseState> Renew(IReadOnlyList<JobClaim> claims, TimeSpan lease)
    {
        var states = new LeaseState[claims.Count];
        for (int i = 0; i < states.Length; i++)
        {
            states[i] = LeaseState.Lost;
            if (reads.Find(claims[i].Job.Id) is not { } row || !row.IsHeldBy(claims[i])) continue;
            row.Lease = Moments.After(batch.Now, lease);
            table.SaveUnseen(row);
            states[i] = row.IsCancelRequested ? LeaseState.CancelRequested : LeaseState.Held;
        }
        return states;
    }

    public bool Report(JobClaim claim, double progress)
    {
        if (reads.Find(claim.Job.Id) is not { } row || !row.IsHeldBy(claim)) return false;
        row.Progress = progress;
        table.Save(row);
        return true;
    }

    public JobTransition? Cancel(Guid id)
    {
        if (reads.Find(id) is not { } row) return null;
        JobState before = row.State;
        if (before == JobState.Queued)
        {
            row.End(JobState.Cancelled, batch.Now, row.Error);
            table.Save(row);
        }
        else if (before == JobState.Running && !row.IsCancelRequested)
        {
            row.IsCancelRequested = true;
            table.Save(row);
        }
        return new JobTransition(before, row.ToJob());
    }

    public JobTransition? Retry(Guid id)
    {
        if (reads.Find(id) is not { } row) return null;
        JobState before = row.State;
        if (before is JobState.Failed or JobState.Cancelled or JobState.Expired && !row.IsSwept)
        {
            table.SetResult(row, null);
            row.Queue();
            row.Attempt = 0;
            row.EndedClaim = 0;
            row.Redeliveries = 0;
            row.RunAt = batch.Now;
            row.Deadline = row.Timeout is { } timeout ? Moments.After(batch.Now, timeout) : null;
            row.StartedAt = null;
            row.FinishedAt = null;
            row.Worker = null;
            row.Error = null;
            table.Save(row);
        }
        return new JobTransition(before, row.ToJob());
    }

    private void Take(JobRow row, string owner, TimeSpan lease)
    {
        row.State = JobState.Running;
        row.Attempt++;
        row.Claim++;
        row.StartedAt = batch.Now;
        row.Worker = owner;
        row.Lease = Moments.After(batch.Now, lease);
    }

    private JobRow Existing(Guid id) =>
        reads.Find(id) ?? throw new JobStoreException($"The job store is damaged: job {id} has an idempotency key, but is not there.");

    private TimeSpan? NextDue()
    {
        TimeSpan? next = null;
        foreach (WorkPriority priority in HighestFirst)
        {
            using Statement.Rows rows = _nextDue.Add((int)priority).Add(batch.Now).Query();
            if (rows.Next() && _nextDue.ReadTime() - batch.Now is var wait && !(wait >= next)) next = wait;
        }
        return next;
    }
}
