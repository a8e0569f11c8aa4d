namespace PoolApi.Tests.JobRoutes.Support;

/// <summary>A request without a server, and the faults that a reader of its query and headers reports.</summary>
internal sealed class HeaderCase
{
    public HeaderCase(string query = "", params ReadOnlySpan<(string Name, string[] Values)> headers)
    {
        Context.Request.QueryString = new QueryString(query);
        foreach (var (name, values) in headers) Context.Request.Headers[name] = values;
        Faults = new JobFaults(Context);
    }

    public DefaultHttpContext Context { get; } = new();

    public JobFaults Faults { get; }

    public IReadOnlyDictionary<string, string[]> ByField => Faults.Refusal is JobProblem problem
        ? Assert.IsType<Dictionary<string, string[]>>(problem.Details.Extensions["errors"])
        : new Dictionary<string, string[]>();

    public void AssertRight() => Assert.Empty(ByField);

    public string AssertFault(string field)
    {
        Assert.Equal(400, Assert.IsType<JobProblem>(Faults.Refusal).StatusCode);
        var (name, faults) = Assert.Single(ByField);
        Assert.Equal(field, name);
        return Assert.Single(faults);
    }
}
