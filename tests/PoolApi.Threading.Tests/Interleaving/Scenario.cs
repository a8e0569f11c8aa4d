namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>Concurrent steps of a few threads. Each schedule creates its own world.</summary>
/// <param name="Name">A description.</param>
/// <param name="Threads">The number of threads.</param>
/// <param name="Make">Creates the state that the threads share, and their bodies.</param>
internal sealed record Scenario(string Name, int Threads, Func<Schedule, World> Make)
{
    public override string ToString() => Name;
}

/// <summary>The state that the threads of one schedule share.</summary>
internal abstract class World
{
    private readonly List<(string Name, Action Body)> _threads = [];

    public IReadOnlyList<(string Name, Action Body)> Threads => _threads;

    /// <summary>The items whose fields other threads may see late.</summary>
    public virtual IReadOnlyList<PoolWorkItem> SharedItems => [];

    /// <summary>Called after all threads have ended. Reports a violation by <see cref="Schedule.Fail"/>.</summary>
    public abstract void Check();

    protected void Add(string name, Action body) => _threads.Add((name, body));
}
