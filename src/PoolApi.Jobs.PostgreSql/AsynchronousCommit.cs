namespace PoolApi.Jobs.PostgreSql;

/// <summary>Makes a statement's commit not wait for the disk, so that a crash of the database may undo it. For claims, renewals and progress.</summary>
internal static class AsynchronousCommit
{
    /// <summary>
    /// A row for the from clause of a statement that is its own transaction. The server reads the setting at the commit, so the statement itself can change
    /// it and needs no second statement. The change is made even if the row is not used, because the planner does not remove calls with side effects.
    /// </summary>
    public const string Row = "(select set_config('synchronous_commit', 'off', true)) as without_disk";
}
