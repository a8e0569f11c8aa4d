using Microsoft.AspNetCore.Http.HttpResults;
using PoolApi.JobRoutes;

namespace PoolApi.Tests.JobRoutes.Support;

/// <summary>A request that is read by hand, and the faults that were found in it.</summary>
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

    public IReadOnlyDictionary<string, string[]> ByField => Faults.Refusal is ProblemHttpResult problem
        ? Assert.IsType<Dictionary<string, string[]>>(problem.ProblemDetails.Extensions["errors"])
        : new Dictionary<string, string[]>();

    public void AssertRight() => Assert.Empty(ByField);

    public string AssertFault(string field)
    {
        Assert.Equal(400, Assert.IsType<ProblemHttpResult>(Faults.Refusal).StatusCode);
        var (name, faults) = Assert.Single(ByField);
        Assert.Equal(field, name);
        return Assert.Single(faults);
    }
}
