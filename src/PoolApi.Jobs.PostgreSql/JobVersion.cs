namespace PoolApi.Jobs.PostgreSql;

/// <summary>The number that a job's row gets whenever it changes.</summary>
internal static class JobVersion
{
    /// <summary>
    /// Greater than all that anybody can have seen of job j: by the clock, in microseconds, since a crash may undo changes that did
    /// not wait for the disk (<see cref="AsynchronousCommit"/>). Their numbers must not come again, for a client that has seen one would
    /// take what is new for what it knows.
    /// </summary>
    public const string Next = $"greatest(j.version + 1, {First})";

    /// <summary>The same for a job that is claimed as it goes in.</summary>
    public const string First = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";
}
