namespace PoolApi.Jobs.Sqlite;

/// <summary>Reads pages of jobs that match a query, newest first. The cost does not depend on the number of jobs. Used by one thread.</summary>
/// <remarks>
/// Each index begins with the columns of a query (tag, client, kind, state) and ends with the id. If the query gives all of them, a page is one
/// range of the index. If not, there is one range for each combination that occurs. There are few kinds and states, and one seek finds the next
/// combination. The page is the newest ids of all ranges. Once it is full, a further range is read only for ids newer than the page's last.
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

    /// <summary>Sorts after every id.</summary>
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
        Statement Next(string after) => query.Client is { } client ? _nextKindOfClient.Bind(client).Bind(after) : _nextKind.Bind(after);

        foreach (string kind in Kinds(query.Kind, Next))
        {
            foreach (JobState state in States(query))
            {
                Statement range = query.Client is { } client ? _ofClient.Bind(client) : _ofKind;
                page.Read(range.Bind(kind).Bind((int)state));
            }
        }
    }

    private void Tagged(JobQuery query, string tag, Page page)
    {
        foreach (string? client in query.Client is { } one ? [one] : ClientsOf(tag))
        {
            foreach (string kind in Kinds(query.Kind, after => _nextKindOfTag.Bind(tag).BindClient(client).Bind(after)))
            {
                foreach (JobState state in States(query)) page.Read(_ofTag.Bind(tag).BindClient(client).Bind(kind).Bind((int)state));
            }
        }
    }

    private static IEnumerable<JobState> States(JobQuery query) => query.State is { } state ? [state] : JobStates.All;

    /// <summary>The kind of the query, or all kinds that occur, each found by one seek.</summary>
    private static List<string> Kinds(string? asked, Func<string, Statement> next) => asked is not null ? [asked] : Texts(next, "");

    /// <summary>The clients that have jobs with a tag.</summary>
    private List<string?> ClientsOf(string tag)
    {
        var clients = new List<string?>();
        using (Statement.Rows rows = _nobodysOfTag.Bind(tag).Query())
        {
            if (rows.Next()) clients.Add(null);
        }
        // 0 stands for jobs without a client. Numbers sort before texts, so the first client comes after 0.
        clients.AddRange(Texts(after => after is null ? _nextClientOfTag.Bind(tag).Bind(0L) : _nextClientOfTag.Bind(tag).Bind(after), null));
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

    /// <summary>The newest ids that were found so far, newest first.</summary>
    private sealed class Page(Guid? after, int most)
    {
        public List<Guid> Ids { get; } = [];

        /// <summary>Reads one range. Its bounds and its length are the last parameters.</summary>
        public void Read(Statement range, bool isBoundedBelow = true)
        {
            if (after is { } given) range.Bind(given);
            else range.Bind(Above);
            if (isBoundedBelow)
            {
                if (Ids.Count == most) range.Bind(Ids[^1]);
                else range.Bind([]);
            }
            using (Statement.Rows rows = range.Bind(most).Query())
            {
                while (rows.Next()) Ids.Add(range.ReadGuid());
            }
            Ids.Sort(static (a, b) => b.CompareTo(a)); // the order of their big-endian bytes
            if (Ids.Count > most) Ids.RemoveRange(most, Ids.Count - most);
        }
    }
}
