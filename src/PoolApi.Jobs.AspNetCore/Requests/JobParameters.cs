using System.Globalization;
using Microsoft.OpenApi;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore.Requests;

/// <summary>How a client wants its job to run.</summary>
/// <remarks>
/// Each parameter may be in the query or, for requests whose query is not the client's to change, in a header. If it is in both places,
/// the values must be the same.
/// </remarks>
/// <param name="Priority">Which of the jobs that are due goes first.</param>
/// <param name="RunAt">The job does not run before; <see langword="null"/>: it may run at once.</param>
/// <param name="Timeout">How long after it is due the job must have ended; <see langword="null"/>: it has no deadline.</param>
/// <param name="Tags">Words to find the job by, each once.</param>
internal sealed record JobParameters(WorkPriority Priority, DateTimeOffset? RunAt, TimeSpan? Timeout, IReadOnlyList<string> Tags)
{
    /// <summary>The longest timeout, in seconds: a week.</summary>
    public const int MaxTimeout = 604_800;

    private const string RunAtExample = "2030-01-31T08:00:00Z";
    private const string OrInQuery = "Or in the query.";

    private static readonly RequestParameter<WorkPriority> PriorityQuery = RequestParameter.OneOf(
        "priority", JobPriorities.TypeName, "With respond-async. Which job is taken first; normal if it is not given.", JobPriorities.All);

    // Declared as plain text. For the format date-time, NSwag would generate a method that sends the time without its offset.
    private static readonly RequestParameter<DateTimeOffset> RunAtQuery = new(
        "runAt", ParameterLocation.Query, "With respond-async. Not before this moment (RFC 3339), at most a year ahead.",
        static _ => RequestParameter.PlainText(Rfc3339.Pattern, RunAtExample),
        static context =>
        {
            DateTimeOffset latest = Now(context).AddYears(1);
            return new ParameterRule<DateTimeOffset>(
                $"a time with its offset (RFC 3339), at most one year ahead, such as {RunAtExample}",
                (string text, out DateTimeOffset time) => Rfc3339.TryParse(text, out time) && time <= latest);
        });

    private static readonly RequestParameter<int> TimeoutQuery = new(
        "timeout", ParameterLocation.Query, "For a job. Seconds after it is due in which it must end, or it expires.",
        static _ => new OpenApiSchema { Type = JsonSchemaType.Integer, Minimum = "1", Maximum = MaxTimeout.ToString(CultureInfo.InvariantCulture) },
        new ParameterRule<int>(
            string.Create(CultureInfo.InvariantCulture, $"a whole number of seconds from 1 to {MaxTimeout}"), FieldFaults.WholeNumber(1, MaxTimeout)));

    private static readonly RequestParameter TagQuery = new(
        "tag", ParameterLocation.Query, "For a job. Words to find it by.",
        static _ => new OpenApiSchema { Type = JsonSchemaType.Array, Items = RequestParameter.PlainText(JobTags.Pattern), MaxItems = JobTags.MaxCount, UniqueItems = true });

    private static readonly RequestParameter<WorkPriority> PriorityHeader =
        PriorityQuery.AsHeader("Job-Priority", $"One of {string.Join(", ", JobPriorities.Words)}. {OrInQuery}", "low");

    private static readonly RequestParameter<DateTimeOffset> RunAtHeader = RunAtQuery.AsHeader("Job-Run-At", OrInQuery, RunAtExample);

    private static readonly RequestParameter<int> TimeoutHeader = TimeoutQuery.AsHeader("Job-Timeout", $"1 to {MaxTimeout}. {OrInQuery}", "600");

    private static readonly RequestParameter TagsHeader = RequestParameter.Header(
        "Job-Tags", $"{TagQuery.Description} Separated by commas, up to {JobTags.MaxCount}. {OrInQuery}", "nightly, customer-7");

    private static readonly (RequestParameter Query, RequestParameter Header, bool CanBeWaitedFor)[] Pairs =
    [
        (PriorityQuery, PriorityHeader, false), (RunAtQuery, RunAtHeader, false), (TimeoutQuery, TimeoutHeader, true), (TagQuery, TagsHeader, true),
    ];

    /// <summary>All of them: first the headers, then those in the query.</summary>
    public static IReadOnlyList<RequestParameter> All { get; } = [.. Pairs.Select(static p => p.Header), .. Pairs.Select(static p => p.Query)];

    /// <summary>Of a request that becomes no job, each parameter that is given is a fault.</summary>
    public static void Refuse(HttpRequest request, JobFaults faults) => Refuse(
        request, faults, static _ => true, static name => $"{name} is for jobs: send it with the header 'Prefer: respond-async', or leave it out.");

    /// <summary>A job whose client waits for the result is due at once and has a fixed priority. So a priority or a start time is a fault.</summary>
    public static void RefuseWhenWaitedFor(HttpRequest request, JobFaults faults) => Refuse(
        request, faults, static canBeWaitedFor => !canBeWaitedFor,
        static name => $"{name} is for jobs whose client does not wait for the result: send it with the header 'Prefer: respond-async', or leave it out.");

    private static void Refuse(HttpRequest request, JobFaults faults, Predicate<bool> isMeant, Func<string, string> fault)
    {
        foreach (var (query, header, canBeWaitedFor) in Pairs)
        {
            if (!isMeant(canBeWaitedFor)) continue;
            if (query.IsGivenIn(request)) faults.Add(query.Name, fault(query.Name));
            if (header.IsGivenIn(request)) faults.Add(header.Name, fault(header.Name));
        }
    }

    /// <summary>Reads the parameters of a request. Each fault has the name of its parameter or header.</summary>
    /// <param name="context">The request.</param>
    /// <param name="faults">Where the faults go.</param>
    /// <param name="maxPriority">The highest priority that this request may ask for.</param>
    public static JobParameters Read(HttpContext context, JobFaults faults, WorkPriority maxPriority)
    {
        WorkPriority? priority = Read(context, faults, PriorityQuery, PriorityHeader);
        if (priority > maxPriority)
        {
            foreach (RequestParameter place in (RequestParameter[])[PriorityQuery, PriorityHeader])
            {
                if (place.IsGivenIn(context.Request)) faults.Add(place.Name, $"{place.Name} must be at most {maxPriority.ToWord()} for this client.");
            }
        }
        DateTimeOffset? runAt = Read(context, faults, RunAtQuery, RunAtHeader);
        TimeSpan? timeout = Read(context, faults, TimeoutQuery, TimeoutHeader) is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
        return new JobParameters(
            priority ?? Lower(WorkPriority.Normal, maxPriority), runAt > Now(context) ? runAt : null, timeout, ReadTags(context.Request, faults));
    }

    /// <summary>The lower one of two priorities.</summary>
    public static WorkPriority Lower(WorkPriority one, WorkPriority other) => one < other ? one : other;

    private static T? Read<T>(HttpContext context, JobFaults faults, RequestParameter<T> query, RequestParameter<T> header)
        where T : struct
    {
        T? fromQuery = query.ReadOrNull(context, faults);
        T? fromHeader = header.ReadOrNull(context, faults);
        if (fromQuery is { } one && fromHeader is { } other && !one.Equals(other)) faults.Add(query.Name, Contradiction(query, header));
        return fromQuery ?? fromHeader;
    }

    private static string[] ReadTags(HttpRequest request, JobFaults faults)
    {
        string[] fromQuery = [.. TagQuery.ValuesIn(request).Select(static tag => tag ?? "")];
        // A list in a header may have empty elements, which count for nothing (RFC 9110, 5.6.1.2).
        string[] fromHeader = [.. TagsHeader.ValuesIn(request).SelectMany(static line =>
            (line ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
        CheckTags(faults, TagQuery.Name, fromQuery);
        CheckTags(faults, TagsHeader.Name, fromHeader);
        if (fromQuery.Length == 0) return fromHeader;
        if (fromHeader.Length > 0 && !fromQuery.ToHashSet(StringComparer.Ordinal).SetEquals(fromHeader))
            faults.Add(TagQuery.Name, Contradiction(TagQuery, TagsHeader));
        return fromQuery;
    }

    private static void CheckTags(JobFaults faults, string name, string[] tags)
    {
        if (tags.Length > JobTags.MaxCount) faults.Add(name, $"{name} has {tags.Length} tags; it may have up to {JobTags.MaxCount}.");
        else if (!Array.TrueForAll(tags, JobTags.IsTag)) faults.Add(name, $"{name} must be up to {JobTags.MaxCount} tags, each of {JobTags.Rule}.");
        else if (tags.Distinct(StringComparer.Ordinal).Count() < tags.Length) faults.Add(name, $"{name} has the same tag twice; each tag may be given only once.");
    }

    private static string Contradiction(RequestParameter query, RequestParameter header) =>
        $"{query.Name} and the header {header.Name} say different things; say it in one place, or the same in both.";

    private static DateTimeOffset Now(HttpContext context) => (context.RequestServices?.GetService<TimeProvider>() ?? TimeProvider.System).GetUtcNow();
}
