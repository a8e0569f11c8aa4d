namespace PoolApi.Jobs.PostgreSql;

/// <summary>Statements whose commit does not wait for the disk: a crash of the database may undo them.</summary>
internal static class AsynchronousCommit
{
    /// <summary>
    /// A row for the from clause of a statement that is a transaction of its own. The setting is looked at when it is committed, so
    /// the statement itself can make it, and no other has to be sent before. It is made even where nobody reads the row: what
    /// has side effects is not optimized away.
    /// </summary>
    public const string Row = "(select set_config('synchronous_commit', 'off', true)) as without_disk";
}
