using System.Globalization;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.OpenApi;
using PoolApi.Jobs.AspNetCore.Responses;
using PoolApi.Jobs.AspNetCore.Endpoints;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Jobs.AspNetCore.Requests;

namespace PoolApi.Jobs.AspNetCore.Routes;

/// <summary>A request for a page of the list: which jobs, and from where on.</summary>
internal sealed record JobListRequest(JobQuery Query, IResult? Refusal)
{
    /// <summary>The name of the states' type in OpenAPI.</summary>
    public const string StateTypeName = "JobState";

    private const int MaxLimit = 1000;
    private const int UsualLimit = 50;

    private static readonly RequestParameter<JobState> State = RequestParameter.OneOf(
        "state", StateTypeName, "Only jobs in this state.", [.. JobStates.All.Select(static state => (state.ToWord(), state))]);

    private static readonly RequestParameter<string> Kind = new(
        "kind", ParameterLocation.Query, "Only jobs of this kind.", static _ => RequestParameter.PlainText(example: "thumbnails"),
        static context =>
        {
            IJobKinds kinds = context.RequestServices.GetRequiredService<IJobKinds>();
            return new ParameterRule<string>(
                kinds.All.Count == 0 ? "left out: there are no kinds here" : $"one of: {string.Join(", ", kinds.All)}",
                (string text, out string kind) => kinds.Exists(kind = text));
        });

    private static readonly RequestParameter<string> Tag = RequestParameter.Text(
        "tag", "Only jobs with this tag.", JobTags.Rule, static (string text, out string tag) => JobTags.IsTag(tag = text), JobTags.Pattern);

    private static readonly RequestParameter<Guid> Cursor = RequestParameter.Text(
        "cursor", "Where the page before ended, as its `next` says it.", "one that a page gave in next", static (string text, out Guid after) =>
        {
            Guid? known = JobCursor.Parse(text);
            after = known.GetValueOrDefault();
            return known is not null;
        });

    private static readonly RequestParameter<int> Limit = RequestParameter.WholeNumber("limit", "How many jobs at most.", 1, MaxLimit, usual: UsualLimit);

    public static RequestParameter[] Parameters { get; } = [State, Kind, Tag, Cursor, Limit];

    public static ValueTask<JobListRequest?> BindAsync(HttpContext context)
    {
        var faults = new JobFaults(context);
        var wanted = new JobQuery
        {
            Client = JobAccess.ViewOf(context),
            State = State.ReadOrNull(context, faults),
            Kind = Kind.Read(context, faults),
            Tag = Tag.Read(context, faults),
            After = Cursor.ReadOrNull(context, faults),
            Limit = Limit.Read(context, faults),
        };
        return ValueTask.FromResult<JobListRequest?>(new JobListRequest(wanted, faults.Refusal));
    }

    /// <summary>Where the page after this one is: the same query, from the last job on.</summary>
    public string? NextOf(JobPage page, JobLinks links)
    {
        if (!page.HasMore || page.Jobs.Count == 0) return null;
        var next = new QueryBuilder();
        if (Query.State is { } state) next.Add(State.Name, state.ToWord());
        if (Query.Kind is { } kind) next.Add(Kind.Name, kind);
        if (Query.Tag is { } tag) next.Add(Tag.Name, tag);
        if (Query.Limit != UsualLimit) next.Add(Limit.Name, Query.Limit.ToString(CultureInfo.InvariantCulture));
        next.Add(Cursor.Name, JobCursor.After(page.Jobs[^1].Id));
        return links.List(next.ToQueryString());
    }
}
