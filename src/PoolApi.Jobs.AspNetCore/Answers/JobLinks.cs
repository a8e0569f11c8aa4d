namespace PoolApi.Jobs.AspNetCore.Answers;

/// <summary>Where a job and what belongs to it is found, as references relative to the URL of one request.</summary>
internal sealed class JobLinks
{
    private readonly string _list;
    private readonly string _below;

    private JobLinks(HttpRequest request)
    {
        string jobs = JobsPath.Of(request.HttpContext);
        _list = RelativeReference.Of(request.Path.Value, jobs);
        _below = RelativeReference.Of(request.Path.Value, jobs + "/");
    }

    /// <summary>The links in the answer to a request.</summary>
    public static JobLinks From(HttpRequest request) => new(request);

    public string Self(Guid id) => $"{_below}{id:D}";

    public string Result(Guid id) => $"{_below}{id:D}/result";

    public string Events(Guid id) => $"{_below}{id:D}/events";

    /// <summary>The list with this query.</summary>
    public string List(QueryString query) => _list + query.ToUriComponent();

    /// <summary>The path of a job, for the text of a problem: people read it, and the same text is stored for clients of other URLs.</summary>
    public static string Path(HttpContext context, Guid id) => $"{JobsPath.Of(context)}/{id:D}";
}
