// The types and members that the documentation's snippets expect in the reader's app. Compiled together with the snippets and the packages.
#pragma warning disable CS1591, CA1050, CA1822, CA1515, CA1812, CA1002, CA1062, CA1707

global using System.Security.Claims;
global using Microsoft.AspNetCore.Mvc;
global using Microsoft.AspNetCore.Mvc.RazorPages;
global using Microsoft.AspNetCore.RateLimiting;
global using PoolApi.AspNetCore;
global using PoolApi.AspNetCore.Shutdown;
global using PoolApi.Jobs;
global using PoolApi.Jobs.AspNetCore;
global using PoolApi.Threading;
global using static Context;

using System.Threading.RateLimiting;

public sealed record Scene(string Name);
public sealed record Picture(string Name);
public sealed record Month(int Year, int Number);
public sealed record Book(int Id, int Year);

public sealed class Reports
{
    public string Build(int id) => $"{id}";
    public string Build(Month month, IProgress<double>? progress, CancellationToken token) => $"{month}";
}

public sealed class Quotas
{
    public PartitionedRateLimiter<HttpContext> ForThePool() => PartitionedRateLimiter.Create<HttpContext, string>(static _ => RateLimitPartition.GetNoLimiter(""));
}

public static class Context
{
    public static Picture Render(Scene scene) => new(scene.Name);
    public static int Compute(CancellationToken token = default) => 0;
    public static int Compute(int input) => input;
    public static Task<string> LoadAsync(CancellationToken token) => Task.FromResult("");
}
