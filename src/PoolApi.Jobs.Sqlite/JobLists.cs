namespace PoolApi.Jobs.Sqlite;

/// <summary>Pages of jobs that meet some conditions, newest first, at about the same cost however many jobs there are.</summary>
/// <remarks>
/// An index begins with what may be asked for (tag, client, kind, state) and ends with the id. Where all of that is given, a
/// page is one range of it. Where it is not, there is one range for each combination that occurs: there are few kinds and states, and each
/// next combination is found by one seek. The newest ids of all ranges are the page; once there are enough, only what is
/// newer than the last of them is looked for in the next range.
/// </remarks>
internal sealed class JobLists(Database database, JobReads reads)
{
    private readonly Statement _all = database.Prepare("SELECT id FROM jobs WHERE id < ? ORDER BY id DESC LIMIT ?");

    private readonly Statement _ofKind = database.Prepare(
        "SELECT id FROM jobs INDEXED BY jobs_by_kind WHERE kind = ? AND state = ? AND id < ? AND id > ? ORDER BY id DESC LIMIT ?");

    private readonly Statement _ofClient = database.Prepare(
        "SELECT id FROM jobs INDEXED BY jobs_by_client WHERE client = ? AND kind = ? AND state = ? AND id < ? AND id > ? ORDER BY id DESC LIMIT ?");

    private readonly Statement _ofTag = database.Prepare(
        "SELECT id FROM job_tags WHERE tag = ? AND client = ? AND kind = ? AND state = ? AND id < ? AND id > ? ORDER BY id DESC LIMIT ?");

    private readonly Statement _nextKind = database.Prepare(
        "SELECT kind FROM jobs INDEXED BY jobs_by_kind WHERE kind > ? ORDER BY kind LIMIT 1");

    private readonly Statement _nextKindOfClient = database.Prepare(
        "SELECT kind FROM jobs INDEXED BY jobs_by_client WHERE client = ? AND kind > ? ORDER BY kind LIMIT 1");

    private readonly Statement _nextKindOfTag = database.Prepare(
        "SELECT kind FROM job_tags WHERE tag = ? AND client = ? AND kind > ? ORDER BY kind LIMIT 1");

    private readonly Statement _nextClientOfTag = database.Prepare(
        "SELECT client FROM job_tags WHERE tag = ? AND client > ? ORDER BY client LIMIT 1");

    private readonly Statement _nobodysOfTag = database.Prepare("SELECT 1 FROM job_tags WHERE tag = ? AND client = 0 LIMIT 1");

    /// <summary>One more than any id.</summary>
    private static readonly byte[] Above = [.. Enumerable.Repeat(byte.MaxValue, 17)];

    public JobPage List(JobQuery query)
    {
        var page = new Page(query.After, query.Limit + 1);
        if (query.Tag is { } tag) Tagged(query, tag, page);
        else if (query.Client is not null || query.Kind is not null || query.State is not null) Untagged(query, page);
        else page.Read(_all, isBoundedBelow: false);
        IEnumerable<Job> jobs = page.Ids.Take(query.Limit).Select(id => reads.Get(id)!);
        return new JobPage([.. jobs], page.Ids.Count > query.Limit);
    }

    private void Untagged(JobQuery query, Page page)
    {
        Statement Next(string after) => query.Client is { } client ? _nextKindOfClient.Add(client).Add(after) : _nextKind.Add(after);

        foreach (string kind in Kinds(query.Kind, Next))
        {
            foreach (JobState state in States(query))
            {
                Statement range = query.Client is { } client ? _ofClient.Add(client) : _ofKind;
                page.Read(range.Add(kind).Add((int)state));
            }
        }
    }

    private void Tagged(JobQuery query, string tag, Page page)
    {
        foreach (string? client in query.Client is { } one ? [one] : ClientsOf(tag))
        {
            foreach (string kind in Kinds(query.Kind, after => _nextKindOfTag.Add(tag).AddClient(client).Add(after)))
            {
                foreach (JobState state in States(query)) page.Read(_ofTag.Add(tag).AddClient(client).Add(kind).Add((int)state));
            }
        }
    }

    private static IEnumerable<JobState> States(JobQuery query) => query.State is { } state ? [state] : JobStates.All;

    /// <summary>The one kind that is asked for, or all that occur: each by a seek for the first after the one before.</summary>
    private static List<string> Kinds(string? asked, Func<string, Statement> next) => asked is not null ? [asked] : Texts(next, "");

    /// <summary>Whose jobs have a tag.</summary>
    private List<string?> ClientsOf(string tag)
    {
        var clients = new List<string?>();
        using (Statement.Rows rows = _nobodysOfTag.Add(tag).Query())
        {
            if (rows.Next()) clients.Add(null);
        }
        // The number of nobody's jobs sorts before all texts, so the first text of all is what comes after it.
        clients.AddRange(Texts(after => after is null ? _nextClientOfTag.Add(tag).Add(0L) : _nextClientOfTag.Add(tag).Add(after), null));
        return clients;
    }

    private static List<string> Texts(Func<string, Statement> next, string? first)
    {
        var texts = new List<string>();
        string? last = first;
        while (true)
        {
            Statement statement = next(last!);
            using Statement.Rows rows = statement.Query();
            if (!rows.Next()) return texts;
            texts.Add(last = statement.ReadText());
        }
    }

    /// <summary>The newest ids so far, newest first.</summary>
    private sealed class Page(Guid? after, int most)
    {
        public List<Guid> Ids { get; } = [];

        /// <summary>Reads one range. Its bounds and its length are the last parameters.</summary>
        public void Read(Statement range, bool isBoundedBelow = true)
        {
            if (after is { } given) range.Add(given);
            else range.Add(Above);
            if (isBoundedBelow)
            {
                if (Ids.Count == most) range.Add(Ids[^1]);
                else range.Add([]);
            }
            using (Statement.Rows rows = range.Add(most).Query())
            {
                while (rows.Next()) Ids.Add(range.ReadGuid());
            }
            Ids.Sort(static (a, b) => b.CompareTo(a)); // as their big-endian bytes do
            if (Ids.Count > most) Ids.RemoveRange(most, Ids.Count - most);
        }
    }
}
