using System.Globalization;
using Microsoft.AspNetCore.Http.Extensions;
using PoolApi.Jobs.AspNetCore.Answers;
using PoolApi.Jobs.AspNetCore.Endpoints;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Jobs.AspNetCore.Requests;

namespace PoolApi.Jobs.AspNetCore.Routes;

/// <summary>Which jobs to list.</summary>
internal sealed record JobListRequest(JobQuery Query, IResult? Refusal)
{
    public const string StateQuery = "state";
    public const string KindQuery = "kind";
    public const string TagQuery = "tag";
    public const string CursorQuery = "cursor";
    public const string LimitQuery = "limit";
    public const int MaxLimit = 1000;
    public const int UsualLimit = 50;

    public static ValueTask<JobListRequest?> BindAsync(HttpContext context)
    {
        IQueryCollection query = context.Request.Query;
        var faults = new JobFaults(context);
        IJobKinds kinds = context.RequestServices.GetRequiredService<IJobKinds>();
        string kindRule = kinds.All.Count == 0 ? "left out: there are no kinds here" : $"one of: {string.Join(", ", kinds.All)}";
        JobState? state = faults.TryRead(StateQuery, query[StateQuery], $"one of: {States}", TryParseState, out JobState s) ? s : null;
        string? kind = faults.TryRead(KindQuery, query[KindQuery], kindRule, Word(kinds.Exists), out string k) ? k : null;
        string? tag = faults.TryRead(TagQuery, query[TagQuery], JobTags.Rule, Word(JobTags.IsTag), out string t) ? t : null;
        Guid? after = faults.TryRead(CursorQuery, query[CursorQuery], "one that a page gave in next", TryParseCursor, out Guid c) ? c : null;
        int limit = faults.TryRead(LimitQuery, query[LimitQuery], FieldFaults.WholeNumberRule(1, MaxLimit), FieldFaults.WholeNumber(1, MaxLimit), out int l) ? l : UsualLimit;
        var wanted = new JobQuery
        {
            Client = JobAccess.ViewOf(context),
            State = state,
            Kind = kind,
            Tag = tag,
            After = after,
            Limit = limit,
        };
        return ValueTask.FromResult<JobListRequest?>(new JobListRequest(wanted, faults.Refusal));
    }

    /// <summary>Where the page after this one is: the same question, from the last job on.</summary>
    public string? NextOf(JobPage page, JobLinks links)
    {
        if (!page.HasMore || page.Jobs.Count == 0) return null;
        var next = new QueryBuilder();
        if (Query.State is { } state) next.Add(StateQuery, state.ToWord());
        if (Query.Kind is { } kind) next.Add(KindQuery, kind);
        if (Query.Tag is { } tag) next.Add(TagQuery, tag);
        if (Query.Limit != UsualLimit) next.Add(LimitQuery, Query.Limit.ToString(CultureInfo.InvariantCulture));
        next.Add(CursorQuery, JobCursor.After(page.Jobs[^1].Id));
        return links.List(next.ToQueryString());
    }

    private static string States => string.Join(", ", JobStates.All.Select(static state => state.ToWord()));

    private static FieldFaults.Parser<string> Word(Func<string, bool> isAllowed) => (string text, out string value) => isAllowed(value = text);

    private static bool TryParseState(string text, out JobState state)
    {
        JobState? known = JobStates.Parse(text.ToLowerInvariant());
        state = known.GetValueOrDefault();
        return known is not null;
    }

    private static bool TryParseCursor(string text, out Guid after)
    {
        Guid? known = JobCursor.Parse(text);
        after = known.GetValueOrDefault();
        return known is not null;
    }
}
