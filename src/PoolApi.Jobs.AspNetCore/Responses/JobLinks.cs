namespace PoolApi.Jobs.AspNetCore.Responses;

/// <summary>The links to a job, its result, its events and the list, relative to the URL of one request.</summary>
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

    /// <summary>The links in the response to a request.</summary>
    public static JobLinks From(HttpRequest request) => new(request);

    public string Self(Guid id) => $"{_below}{id:D}";

    public string Result(Guid id) => $"{_below}{id:D}/result";

    public string Events(Guid id) => $"{_below}{id:D}/events";

    /// <summary>The list with this query.</summary>
    public string List(QueryString query) => _list + query.ToUriComponent();

    /// <summary>The absolute path of a job, for the detail of a problem. A detail can be stored, and read later under another URL.</summary>
    public static string Path(HttpContext context, Guid id) => $"{JobsPath.Of(context)}/{id:D}";
}
