namespace PoolApi.Jobs.Sqlite;

/// <summary>Finds the jobs that another connection, of this process or of another, has changed.</summary>
/// <remarks>
/// The database's <c>data_version</c>, as this connection sees it, is another one after every commit of another connection. While
/// it stays the same, no job has changed since this connection looked last, and none is read.
/// </remarks>
internal sealed class ForeignChanges(Database database)
{
    private readonly Statement _dataVersion = database.Prepare("PRAGMA data_version");
    private readonly Statement _version = database.Prepare("SELECT version FROM jobs WHERE id = ?");
    private long? _seen;

    /// <summary>The places of those in the list whose version is another one, or that are gone.</summary>
    /// <remarks>
    /// What the caller knows it read after this connection's last look, or that look compared it: either way a change since then
    /// changes the number.
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
        using Statement.Rows rows = _version.Add(id).Query();
        return rows.Next() ? _version.ReadLong() : null;
    }
}
