using System.Globalization;
using Microsoft.Extensions.Primitives;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore.Requests;

/// <summary>How a client wants its job to be run.</summary>
/// <remarks>
/// Each parameter may be in the query or, for requests whose query is not the client's to change, in a header. In both places
/// it must be the same.
/// </remarks>
/// <param name="Priority">Which of those that are due goes first.</param>
/// <param name="RunAt">Not before; <see langword="null"/>: at once.</param>
/// <param name="Timeout">How long after it is due it must have ended; <see langword="null"/>: whenever.</param>
/// <param name="Tags">Words to find it by, each once.</param>
internal sealed record JobParameters(WorkPriority Priority, DateTimeOffset? RunAt, TimeSpan? Timeout, IReadOnlyList<string> Tags)
{
    public const string PriorityQuery = "priority";
    public const string PriorityHeader = "Job-Priority";
    public const string RunAtQuery = "runAt";
    public const string RunAtHeader = "Job-Run-At";
    public const string TimeoutQuery = "timeout";
    public const string TimeoutHeader = "Job-Timeout";
    public const string TagQuery = "tag";
    public const string TagsHeader = "Job-Tags";

    /// <summary>The longest timeout, in seconds: a week.</summary>
    public const int MaxTimeout = 604_800;

    private const string PriorityRule = "one of: high, normal, low";
    private const string RunAtRule = "a time with its offset (RFC 3339), at most one year ahead, such as 2030-01-31T08:00:00Z";
    private const string TimeoutRule = "a whole number of seconds from 1 to 604800";

    private static readonly (string Query, string Header, bool CanBeWaitedFor)[] Names =
    [
        (PriorityQuery, PriorityHeader, false), (RunAtQuery, RunAtHeader, false), (TimeoutQuery, TimeoutHeader, true), (TagQuery, TagsHeader, true),
    ];

    /// <summary>What they are called in the query.</summary>
    public static IEnumerable<string> QueryNames => Names.Select(static name => name.Query);

    /// <summary>Whether a request has any. Cheap for one that has none.</summary>
    public static bool AreGiven(HttpRequest request)
    {
        foreach (var (query, header, _) in Names)
        {
            if (request.Headers.ContainsKey(header) || (request.QueryString.HasValue && request.Query.ContainsKey(query))) return true;
        }
        return false;
    }

    /// <summary>Of a request that becomes no job, each that is given is a fault.</summary>
    public static void Refuse(HttpRequest request, JobFaults faults) => Refuse(
        request, faults, static _ => true, static name => $"{name} is for jobs: send it with the header 'Prefer: respond-async', or leave it out.");

    /// <summary>Of a job whose client waits for the result as for any answer, these are faults: it comes in its turn, and now.</summary>
    public static void RefuseWhenWaitedFor(HttpRequest request, JobFaults faults) => Refuse(
        request, faults, static canBeWaitedFor => !canBeWaitedFor,
        static name => $"{name} is for jobs that nobody waits for: send it with the header 'Prefer: respond-async', or leave it out.");

    private static void Refuse(HttpRequest request, JobFaults faults, Predicate<bool> isMeant, Func<string, string> fault)
    {
        foreach (var (query, header, canBeWaitedFor) in Names)
        {
            if (!isMeant(canBeWaitedFor)) continue;
            if (request.Query.ContainsKey(query)) faults.Add(query, fault(query));
            if (request.Headers.ContainsKey(header)) faults.Add(header, fault(header));
        }
    }

    /// <summary>Reads them; what is wrong is a fault under the name where it is wrong.</summary>
    /// <param name="context">The request.</param>
    /// <param name="faults">Where the faults go.</param>
    /// <param name="maxPriority">The highest priority that this request may ask for.</param>
    public static JobParameters Read(HttpContext context, JobFaults faults, WorkPriority maxPriority)
    {
        DateTimeOffset now = (context.RequestServices?.GetService<TimeProvider>() ?? TimeProvider.System).GetUtcNow();
        DateTimeOffset latest = now.AddYears(1);
        WorkPriority? priority = Read<WorkPriority>(context, faults, PriorityQuery, PriorityHeader, PriorityRule, JobPriorities.TryParse);
        if (priority > maxPriority)
        {
            foreach (string name in (ReadOnlySpan<string>)[PriorityQuery, PriorityHeader])
            {
                if (context.Request.Query.ContainsKey(name) || context.Request.Headers.ContainsKey(name))
                    faults.Add(name, $"{name} may be at most {maxPriority.ToWord()} for this client.");
            }
        }
        DateTimeOffset? runAt = Read(
            context, faults, RunAtQuery, RunAtHeader, RunAtRule,
            (string text, out DateTimeOffset time) => Rfc3339.TryParse(text, out time) && time <= latest);
        TimeSpan? timeout = Read<TimeSpan>(context, faults, TimeoutQuery, TimeoutHeader, TimeoutRule, TryParseTimeout);
        return new JobParameters(priority ?? Lower(WorkPriority.Normal, maxPriority), runAt > now ? runAt : null, timeout, ReadTags(context, faults));
    }

    /// <summary>The lower one of two priorities.</summary>
    public static WorkPriority Lower(WorkPriority one, WorkPriority other) => one < other ? one : other;

    private static T? Read<T>(HttpContext context, JobFaults faults, string query, string header, string rule, FieldFaults.Parser<T> parse)
        where T : struct
    {
        T? fromQuery = ReadOne(faults, query, context.Request.Query[query], rule, parse);
        T? fromHeader = ReadOne(faults, header, context.Request.Headers[header], rule, parse);
        if (fromQuery is { } one && fromHeader is { } other && !one.Equals(other)) faults.Add(query, Contradiction(query, header));
        return fromQuery ?? fromHeader;
    }

    private static T? ReadOne<T>(JobFaults faults, string name, StringValues values, string rule, FieldFaults.Parser<T> parse)
        where T : struct => faults.TryRead(name, values, rule, parse, out T value) ? value : null;

    private static bool TryParseTimeout(string text, out TimeSpan timeout)
    {
        // Signs are looked at one by one: the framework's parser overlooks trailing NULs.
        bool isNumber = !text.AsSpan().ContainsAnyExceptInRange('0', '9')
            & int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds);
        timeout = TimeSpan.FromSeconds(seconds);
        return isNumber && seconds is >= 1 and <= MaxTimeout;
    }

    private static string[] ReadTags(HttpContext context, JobFaults faults)
    {
        string[] fromQuery = [.. context.Request.Query[TagQuery].Select(static tag => tag ?? "")];
        // A list in a header may have empty places, which are nothing.
        string[] fromHeader = [.. context.Request.Headers[TagsHeader].SelectMany(static line =>
            (line ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
        CheckTags(faults, TagQuery, fromQuery);
        CheckTags(faults, TagsHeader, fromHeader);
        if (fromQuery.Length == 0) return fromHeader;
        if (fromHeader.Length > 0 && !fromQuery.ToHashSet(StringComparer.Ordinal).SetEquals(fromHeader))
            faults.Add(TagQuery, Contradiction(TagQuery, TagsHeader));
        return fromQuery;
    }

    private static void CheckTags(JobFaults faults, string name, string[] tags)
    {
        if (tags.Length > JobTags.MaxCount) faults.Add(name, $"{name} has {tags.Length} tags; it may have up to {JobTags.MaxCount}.");
        else if (!Array.TrueForAll(tags, JobTags.IsTag)) faults.Add(name, $"{name} may be {JobTags.Rule}; up to {JobTags.MaxCount} of them.");
        else if (tags.Distinct(StringComparer.Ordinal).Count() < tags.Length) faults.Add(name, $"{name} has the same tag twice; it may have each once.");
    }

    private static string Contradiction(string query, string header) =>
        $"{query} and the header {header} say different things; say it in one place, or the same in both.";
}
