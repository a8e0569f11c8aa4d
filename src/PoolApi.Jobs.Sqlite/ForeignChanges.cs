namespace PoolApi.Jobs.Sqlite;

/// <summary>Finds the jobs that another connection has changed, of this process or another. Used by one reader's thread.</summary>
/// <remarks>
/// SQLite's <c>data_version</c> changes for this connection with every commit of another connection. While it is the same as at the last call, no
/// job has changed and none is read, so an unneeded call costs one pragma.
/// </remarks>
internal sealed class ForeignChanges(Database database)
{
    private readonly Statement _dataVersion = database.Prepare("PRAGMA data_version");
    private readonly Statement _version = database.Prepare("SELECT version FROM jobs WHERE id = ?");
    private long? _seen;

    /// <summary>Returns the indexes of the jobs in the list that have another version or are deleted.</summary>
    /// <remarks>
    /// If the <c>data_version</c> is the same as at the last call, every given version is current. The caller read it after the last call, or the last call
    /// compared it.
    /// </remarks>
    public IReadOnlyList<int> Find(IReadOnlyList<KnownVersion> known)
    {
        long now = DataVersion();
        if (_seen == now) return [];
        _seen = now;
        var changed = new List<int>();
        for (int i = 0; i < known.Count; i++)
        {
            if (VersionOf(known[i].Id) != known[i].Version) changed.Add(i);
        }
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
