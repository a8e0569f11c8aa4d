namespace PoolApi.Jobs.Sqlite;

/// <summary>Finds the jobs that another connection has changed, of this process or another. Used by one reader's thread.</summary>
/// <remarks>
/// SQLite's <c>data_version</c> changes for this connection with every commit of another connection. While it is the same as at the last call, no
/// job has changed, and only the versions are compared that the last call did not find current. So an unneeded call costs one pragma.
/// </remarks>
internal sealed class ForeignChanges(Database database)
{
    private readonly Statement _dataVersion = database.Prepare("PRAGMA data_version");
    private readonly Statement _version = database.Prepare("SELECT version FROM jobs WHERE id = ?");
    private HashSet<KnownVersion> _current = []; // those of the last call that were current at that data_version
    private HashSet<KnownVersion> _spare = [];
    private long? _seen; // the data_version of the last call

    /// <summary>Returns the indexes of the jobs in the list that have another version or are deleted.</summary>
    /// <remarks>
    /// A version that is new in the list is compared, although the <c>data_version</c> is the same: the caller may have read it before the change that
    /// the last call saw. A changed job is found again until the caller knows its version, because the result of a call may be lost.
    /// </remarks>
    public IReadOnlyList<int> Find(IReadOnlyList<KnownVersion> known)
    {
        long now = DataVersion();
        var changed = new List<int>();
        _spare.Clear();
        for (int i = 0; i < known.Count; i++)
        {
            if ((_seen == now && _current.Contains(known[i])) || VersionOf(known[i].Id) == known[i].Version) _spare.Add(known[i]);
            else changed.Add(i);
        }
        (_current, _spare, _seen) = (_spare, _current, now);
        return changed;
    }

    private long DataVersion()
    {
        using Statement.Rows rows = _dataVersion.Query();
        return rows.Next() ? _dataVersion.ReadLong() : 0;
    }

    private long? VersionOf(Guid id)
    {
        using Statement.Rows rows = _version.Bind(id).Query();
        return rows.Next() ? _version.ReadLong() : null;
    }
}
