namespace PoolApi.Jobs.Sqlite;

/// <summary>
/// The writing operations of the store: accepting, claiming, finishing, handing back, renewing, cancelling, retrying. Used on the writer's thread,
/// within its transaction.
/// </summary>
internal sealed class JobWrites(Database database, JobReads reads, JobTable table, SqliteSuspects suspects, Batch batch)
{
    /// <summary>The most scheduled jobs that one claim makes due.</summary>
    private const int MostReleased = 500;

    private readonly DueJobReads _due = new(database, reads, batch);

    private readonly Statement _nextScheduled = database.Prepare(
        "SELECT run_at FROM jobs WHERE state = 0 AND due IS NULL ORDER BY run_at LIMIT 1");

    /// <param name="job">The job.</param>
    /// <param name="owner">The instance that also claims the job if it is due; <see langword="null"/>: none.</param>
    /// <param name="lease">The length of the lease.</param>
    public JobAcceptance Accept(NewJob job, string? owner, TimeSpan lease)
    {
        if (job.Idempotency is { } key && table.FindKey(job.Client, key.Key) is { } taken)
        {
            Job first = Existing(taken.Id).ToJob(batch.Steady);
            bool same = key.Fingerprint.Span.SequenceEqual(taken.Fingerprint);
            return new JobAcceptance(same ? AcceptOutcome.Existing : AcceptOutcome.OtherRequest, first);
        }
        DateTimeOffset due = Timestamps.Stored(job.RunAt ?? batch.Now);
        bool isDue = due <= batch.Now;
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
            Deadline = job.Timeout is { } timeout ? Timestamps.After(due, timeout) : null,
            Due = isDue ? Timestamps.Before(batch.Steady, batch.Now - due) : null,
            Expires = isDue && job.Timeout is { } time ? Timestamps.After(Timestamps.Before(batch.Steady, batch.Now - due), time) : null,
            IdempotencyKey = job.Idempotency?.Key,
        };
        Job accepted = row.ToJob(batch.Steady);
        if (owner is null || !isDue || suspects.Exist())
        {
            table.Insert(row, job.Payload, job.Idempotency);
            return new JobAcceptance(AcceptOutcome.Created, accepted);
        }
        // The job gets the same versions as if it had been queued first.
        row.Version++;
        Take(row, owner, lease);
        table.Insert(row, job.Payload, job.Idempotency);
        return new JobAcceptance(AcceptOutcome.Created, accepted, new JobClaim(row.ToJob(batch.Steady), job.Payload, row.Claim, row.Redeliveries, IsFirst: true) { TimeLeft = TimeLeft(row) });
    }

    public JobClaims Claim(string owner, int max, long maxBytes, TimeSpan lease, KindFilter kinds, Func<int, int> release)
    {
        release(MostReleased);
        SqliteSuspectTurn turn = suspects.Exist() ? suspects.NextTurn(owner, kinds) : SqliteSuspectTurn.None;
        if (turn.Pause is { } pause) return new JobClaims([], pause, IsPaused: true);
        var rows = new List<JobRow>();
        if (turn.First is { } suspect) rows.Add(suspect);
        if (!turn.IsAlone && rows.Count < max) rows.AddRange(_due.Read(kinds, max - rows.Count));
        bool isAlone = turn.IsAlone;
        if (rows.Count == 0 && turn.Otherwise is { } other)
        {
            isAlone = true;
            rows.Add(other);
        }
        var claims = new List<JobClaim>(rows.Count);
        long bytes = 0, inline = 0;
        foreach (JobRow row in rows)
        {
            long length = reads.BodyLength(row);
            if (length > maxBytes - bytes) return new JobClaims(claims, null, IsOutOfBytes: true);
            bytes += length;
            if (isAlone) suspects.BeginAlone(row); // only if the body fits, because this begins the suspect's turn
            // The writer's thread reads no large body, because all other operations would wait for it.
            bool isInline = length <= BodyLimits.Inline && inline + length <= BodyLimits.InlineTogether;
            if (isInline) inline += length;
            JobPayload payload = isInline ? reads.Payload(row) : reads.PayloadHead(row);
            Take(row, owner, lease);
            table.Save(row);
            claims.Add(new JobClaim(row.ToJob(batch.Steady), payload, row.Claim, row.Redeliveries, IsFirst: row.Claim == 1)
            {
                TimeLeft = TimeLeft(row),
                UnreadBytes = isInline ? 0 : length,
            });
        }
        return new JobClaims(claims, claims.Count == 0 ? NextDue(kinds) : null);
    }

    public bool Finish(JobClaim claim, JobEnd ending)
    {
        if (reads.Find(claim.Job.Id) is not { } row) return false;
        if (row.Claim == claim.Number && row.EndedClaim == claim.Number) return true; // a repeated call, because the response to the first was lost
        if (!row.IsHeldBy(claim))
        {
            Acquit(row, claim);
            return false;
        }
        row.EndedClaim = claim.Number;
        row.Suspicion = 0; // the attempt ended, so it did not kill its instance
        if (ending.State.IsFinal())
        {
            table.SetResult(row, ending.Result);
            row.End(ending.State, batch, ending.Error);
        }
        else if (row.IsCancelRequested)
        {
            // A job whose cancellation was requested is not tried again.
            row.End(JobState.Cancelled, batch, ending.Error);
        }
        else
        {
            row.Keep(PastOutcome.Retried, batch, ending.Error);
            row.Queue();
            row.Error = ending.Error;
            row.RunAt = Timestamps.After(batch.Now, ending.RetryAfter);
            row.Due = Timestamps.After(batch.Steady, ending.RetryAfter);
        }
        table.Save(row);
        if (suspects.Exist()) batch.MayBeDue(); // a suspect may wait for this attempt to end
        return true;
    }

    public bool HandBack(IReadOnlyList<JobClaim> claims)
    {
        foreach (JobClaim claim in claims)
        {
            if (reads.Find(claim.Job.Id) is not { } row || !row.IsHeldBy(claim)) continue;
            if (row.IsCancelRequested)
            {
                row.End(JobState.Cancelled, batch, row.Error);
            }
            else
            {
                row.Keep(PastOutcome.HandedBack, batch);
                row.Queue();
                row.Attempt--;
                if (row.Attempt == 0) row.StartedAt = null;
            }
            table.Save(row);
        }
        if (suspects.Exist()) batch.MayBeDue();
        return true;
    }

    public IReadOnlyList<LeaseState> Renew(IReadOnlyList<JobClaim> claims, TimeSpan lease)
    {
        var states = new LeaseState[claims.Count];
        for (int i = 0; i < states.Length; i++)
        {
            states[i] = LeaseState.Lost;
            if (reads.Find(claims[i].Job.Id) is not { } row) continue;
            if (!row.IsHeldBy(claims[i]))
            {
                Acquit(row, claims[i]);
                continue;
            }
            row.LeaseEnd = Timestamps.After(batch.Steady, lease);
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
            row.End(JobState.Cancelled, batch, row.Error);
            table.Save(row);
        }
        else if (before == JobState.Running && !row.IsCancelRequested)
        {
            row.IsCancelRequested = true;
            table.Save(row);
        }
        return new JobTransition(before, row.ToJob(batch.Steady));
    }

    public JobTransition? Retry(Guid id)
    {
        if (reads.Find(id) is not { } row) return null;
        JobState before = row.State;
        if (before is JobState.Failed or JobState.Cancelled or JobState.Expired && !row.IsSwept)
        {
            row.Earlier = PastAttempts.Add(row.Earlier, PastAttempts.EndOf(row.ToJob(batch.Steady)));
            table.SetResult(row, null);
            row.Queue();
            row.Attempt = 0;
            row.EndedClaim = 0;
            row.Redeliveries = 0;
            row.Suspicion = 0;
            row.Deaths = 0;
            row.LostClaim = 0;
            row.RunAt = batch.Now;
            row.Due = batch.Steady;
            row.Deadline = row.Timeout is { } timeout ? Timestamps.After(batch.Now, timeout) : null;
            row.Expires = row.Timeout is { } time ? Timestamps.After(batch.Steady, time) : null;
            row.Ended = null;
            row.StartedAt = null;
            row.FinishedAt = null;
            row.Worker = null;
            row.Error = null;
            table.Save(row);
        }
        return new JobTransition(before, row.ToJob(batch.Steady));
    }

    private void Take(JobRow row, string owner, TimeSpan lease)
    {
        row.State = JobState.Running;
        row.Attempt++;
        row.Claim++;
        row.StartedAt = batch.Now;
        row.Worker = owner;
        row.LeaseEnd = Timestamps.After(batch.Steady, lease);
        row.IsAccompanied = false;
    }

    private TimeSpan? TimeLeft(JobRow row) => row.Expires - batch.Steady;

    /// <summary>Handles a call for a lost claim: it shows that the instance that was presumed dead is alive.</summary>
    private void Acquit(JobRow row, JobClaim claim)
    {
        if (row.Acquit(claim.Number)) table.SaveUnseen(row);
    }

    private JobRow Existing(Guid id) =>
        reads.Find(id) ?? throw new JobStoreException($"The job store is damaged: job {id} has an idempotency key, but is not there.");

    private TimeSpan? NextDue(KindFilter kinds)
    {
        TimeSpan? next = _due.UntilNext(kinds);
        using Statement.Rows scheduled = _nextScheduled.Query();
        if (scheduled.Next() && _nextScheduled.ReadTime() - batch.Now is var left && !(left >= next)) next = left;
        return next;
    }
}
