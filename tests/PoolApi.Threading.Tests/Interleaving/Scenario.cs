namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>Something that a few threads do at once. Made anew for each schedule.</summary>
/// <param name="Name">A sentence.</param>
/// <param name="Threads">How many.</param>
/// <param name="Make">What they share, and what each of them does.</param>
internal sealed record Scenario(string Name, int Threads, Func<Schedule, World> Make)
{
    public override string ToString() => Name;
}

/// <summary>What the threads of one schedule share.</summary>
internal abstract class World
{
    private readonly List<(string Name, Action Body)> _threads = [];

    public IReadOnlyList<(string Name, Action Body)> Threads => _threads;

    /// <summary>The items whose fields others may see late.</summary>
    public virtual IReadOnlyList<PoolWorkItem> SharedItems => [];

    /// <summary>After all threads have ended; says what is wrong by <see cref="Schedule.Fail"/>.</summary>
    public abstract void Check();

    protected void Add(string name, Action body) => _threads.Add((name, body));
}
