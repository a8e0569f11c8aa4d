namespace PoolApi.Jobs.PostgreSql;

/// <summary>The version that a job's row gets with each change.</summary>
internal static class JobVersion
{
    /// <summary>
    /// Greater than every version of job j that any client may have seen. It is the clock's time in microseconds, because a crash may undo changes that did
    /// not wait for the disk (<see cref="AsynchronousCommit"/>). If such a version were used again, a client that has seen it would miss the new change.
    /// </summary>
    public const string Next = $"greatest(j.version + 1, {First})";

    /// <summary>The same for a job that is claimed as it goes in.</summary>
    public const string First = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";
}
