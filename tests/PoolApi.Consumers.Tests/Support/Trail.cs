namespace PoolApi.Consumers.Tests.Support;

/// <summary>Records which steps ran on which threads, in order.</summary>
internal sealed class Trail
{
    private readonly List<string> _steps = [];

    /// <summary>The pool whose worker runs this, or <c>server</c> for the .NET ThreadPool.</summary>
    public static string Here => Thread.CurrentThread switch
    {
        { IsThreadPoolThread: true } => "server",
        { Name: { } name } when name.IndexOf('-', StringComparison.Ordinal) is > 0 and var dash => name[..dash],
        _ => "elsewhere",
    };

    public void Add(string step)
    {
        lock (_steps) _steps.Add($"{step}: {Here}");
    }

    /// <summary>Returns the steps so far and clears them.</summary>
    public string[] Take()
    {
        lock (_steps)
        {
            string[] taken = [.. _steps];
            _steps.Clear();
            return taken;
        }
    }
}
