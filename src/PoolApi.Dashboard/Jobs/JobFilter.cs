using System.Globalization;
using Microsoft.Extensions.Primitives;
using PoolApi.Dashboard.Requests;
using PoolApi.Jobs;
using PoolApi.Jobs.Stores;

namespace PoolApi.Dashboard.Jobs;

/// <summary>The filter of the list of jobs.</summary>
/// <param name="State">Only jobs in this state.</param>
/// <param name="Kind">Only jobs of this kind.</param>
/// <param name="Tag">Only jobs with this tag.</param>
/// <param name="Id">Only jobs whose id begins with this text of hexadecimal digits and hyphens, in lower case.</param>
/// <param name="Key">Only jobs that were accepted with this idempotency key, of all clients.</param>
internal sealed record JobFilter(JobState? State, string? Kind, string? Tag, string? Id, string? Key)
{
    private const int PageSize = 500;
    private const string Form = "00000000-0000-0000-0000-000000000000";

    private static readonly RequestParameter<JobState?> StateParameter = RequestParameter.Text(
        "state", "Only jobs in this state.", $"one of: {string.Join(", ", JobStates.All.Select(static s => s.ToWord()))}",
        static (string text, out JobState? state) =>
        {
            Blank.OrText(text, out string? word);
            state = word is null ? null : JobStates.Parse(word);
            return word is null || state is not null;
        });

    private static readonly RequestParameter<string?> KindParameter =
        RequestParameter.Text<string?>("kind", "Only jobs of this kind.", "the kind of a job", Blank.OrText);

    private static readonly RequestParameter<string?> TagParameter =
        RequestParameter.Text<string?>("tag", "Only jobs with this tag.", "the tag of a job", Blank.OrText);

    private static readonly RequestParameter<string?> IdParameter = RequestParameter.Text(
        "id", "Only jobs whose id begins with this.", "the beginning of a job's id: hexadecimal digits and hyphens", static (string text, out string? id) =>
        {
            Blank.OrText(text, out id);
            id = id?.ToLowerInvariant();
            return id is null || IsBeginningOfId(id);
        });

    private static readonly RequestParameter<string?> KeyParameter =
        RequestParameter.Text<string?>("key", "Only jobs that were accepted with this idempotency key.", "the idempotency key of a job", Blank.OrText);

    /// <summary>The names of the parameters.</summary>
    public static readonly IReadOnlyList<string> Names =
        [StateParameter.Name, KindParameter.Name, TagParameter.Name, IdParameter.Name, KeyParameter.Name];

    /// <summary>Reads the filter of a request from its query.</summary>
    public static JobFilter Read(HttpContext context, FieldFaults faults) => Read(context, faults, name => context.Request.Query[name]);

    /// <summary>Reads the filter of a request.</summary>
    /// <param name="context">The request.</param>
    /// <param name="faults">Gets what is malformed.</param>
    /// <param name="valuesOf">Returns the values of a parameter by its name.</param>
    public static JobFilter Read(HttpContext context, FieldFaults faults, Func<string, StringValues> valuesOf)
    {
        return new JobFilter(Value(StateParameter), Value(KindParameter), Value(TagParameter), Value(IdParameter), Value(KeyParameter));

        T? Value<T>(RequestParameter<T> parameter) => parameter.TryRead(context, valuesOf(parameter.Name), faults, out T value) ? value : default;
    }

    /// <summary>Reads a page of matching jobs, newest first.</summary>
    public async Task<JobPage> ListAsync(IJobStore store, Guid? after, int limit, CancellationToken cancellation)
    {
        if (Key is not null)
        {
            // A client uses a key once, so there are few such jobs, and all of them are one page.
            IReadOnlyList<Job> found = await store.FindByKeyAsync(Key, cancellation);
            return new JobPage([.. found.Where(j => Matches(j) && (Id is null || HasId(j)) && !(after is { } last && j.Id.CompareTo(last) >= 0))], false);
        }
        if (Id is null) return await store.ListAsync(Query(after, limit), cancellation);
        if (Id.Length == Form.Length)
        {
            Job? one = Guid.TryParseExact(Id, "D", out Guid id) ? await store.GetAsync(id, cancellation) : null;
            return new JobPage(one is not null && Matches(one) && after is null ? [one] : [], false);
        }
        // Ids are sorted, so those with the same prefix follow each other.
        Guid above = Guid.ParseExact(Id + Form[Id.Length..].Replace('0', 'f'), "D");
        JobPage page = await store.ListAsync(Query(after ?? above, limit), cancellation);
        Job[] matching = [.. page.Jobs.TakeWhile(HasId)];
        return new JobPage(matching, page.HasMore && matching.Length == page.Jobs.Count);
    }

    /// <summary>Reads all matching jobs, newest first, page by page.</summary>
    /// <param name="store">The store.</param>
    /// <param name="through">Jobs that were accepted after this one are left out; null: no job is.</param>
    /// <param name="cancellation">Cancels the reading.</param>
    public async IAsyncEnumerable<Job> AllAsync(IJobStore store, Guid? through, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        Guid? after = null;
        while (true)
        {
            JobPage page = await ListAsync(store, after, PageSize, cancellation);
            foreach (Job job in page.Jobs)
            {
                if (through is not { } newest || job.Id.CompareTo(newest) <= 0) yield return job;
            }
            if (!page.HasMore || page.Jobs.Count == 0) yield break;
            after = page.Jobs[^1].Id;
        }
    }

    /// <summary>The filter in words, for the action log.</summary>
    public override string ToString()
    {
        string?[] parts =
        [
            State is { } state ? $"state {state.ToWord()}" : null, Kind is null ? null : $"kind {Kind}", Tag is null ? null : $"tag {Tag}",
            Id is null ? null : $"id {Id}…", Key is null ? null : $"key {Key}",
        ];
        string text = string.Join(", ", parts.OfType<string>());
        return text.Length == 0 ? "all jobs" : $"jobs with {text}";
    }

    private JobQuery Query(Guid? after, int limit) => new() { State = State, Kind = Kind, Tag = Tag, After = after, Limit = limit };

    private bool HasId(Job job) => job.Id.ToString("D", CultureInfo.InvariantCulture).StartsWith(Id!, StringComparison.Ordinal);

    private bool Matches(Job job) =>
        (State is null || job.State == State) && (Kind is null || job.Kind == Kind) && (Tag is null || job.Tags.Contains(Tag, StringComparer.Ordinal));

    private static bool IsBeginningOfId(string text)
    {
        if (text.Length > Form.Length) return false;
        for (int i = 0; i < text.Length; i++)
        {
            if (Form[i] == '-' ? text[i] != '-' : !char.IsAsciiHexDigitLower(text[i])) return false;
        }
        return true;
    }
}
