using System.Globalization;
using Microsoft.AspNetCore.Http.Extensions;
using PoolApi.Jobs;
using PoolApi.Requests;

namespace PoolApi.JobRoutes;

/// <summary>Which jobs to list.</summary>
internal sealed record JobListRequest(JobQuery Query, IResult? Refusal) : IValidatedRequest
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
        var query = new QueryReader(context);
        IJobKinds kinds = context.RequestServices.GetRequiredService<IJobKinds>();
        string? state = query.OptionalText(StateQuery, $"one of: {States}", static text => StateOf(text) is not null);
        string? kind = query.OptionalText(
            KindQuery, kinds.All.Count == 0 ? "left out: there are no kinds here" : $"one of: {string.Join(", ", kinds.All)}", kinds.Exists);
        string? tag = query.OptionalText(TagQuery, JobTags.Rule, JobTags.IsTag);
        string? cursor = query.OptionalText(CursorQuery, "one that a page gave in next", static text => JobCursor.Parse(text) is not null);
        int limit = query.OptionalWholeNumber(LimitQuery, 1, MaxLimit) ?? UsualLimit;
        var wanted = new JobQuery
        {
            Client = JobAccess.ClientOf(context),
            State = state is null ? null : StateOf(state),
            Kind = kind,
            Tag = tag,
            After = cursor is null ? null : JobCursor.Parse(cursor),
            Limit = limit,
        };
        return ValueTask.FromResult<JobListRequest?>(new JobListRequest(wanted, query.Refusal));
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

    private static JobState? StateOf(string text) => JobStates.Parse(text.ToLowerInvariant());
}
