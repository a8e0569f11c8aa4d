
namespace PoolApi.AspNetCore.Tests.Support;

/// <summary>Where each step of a request ran.</summary>
internal sealed class Steps
{
    public static bool OnPool(string pool = "cpu") => Thread.CurrentThread.Name?.StartsWith(pool + "-", StringComparison.Ordinal) == true;

    public List<string> Taken { get; } = [];

    public void Take(string step, string pool = "cpu")
    {
        lock (Taken) Taken.Add(step + (OnPool(pool) ? " on the pool" : Thread.CurrentThread.IsThreadPoolThread ? " off" : " elsewhere"));
    }

    /// <summary>A parameter that notes where it was bound.</summary>
    internal sealed record Bound(Steps Steps)
    {
        public static ValueTask<Bound?> BindAsync(HttpContext context)
        {
            var steps = (Steps)context.RequestServices.GetService(typeof(Steps))!;
            steps.Take("bound");
            return ValueTask.FromResult<Bound?>(new Bound(steps));
        }
    }

    /// <summary>A result that notes where it was written.</summary>
    internal sealed record Answer(Steps Steps, string Text) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            Steps.Take("written");
            return httpContext.Response.WriteAsync(Text, TestApp.Token);
        }
    }
}
