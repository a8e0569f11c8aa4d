namespace PoolApi.HttpBenchmarks.Contenders;

/// <summary>A kind of server.</summary>
/// <param name="Id">Its name in --contenders.</param>
/// <param name="Name">Its name in the tables.</param>
/// <param name="Start">Starts a server with the given number of workers.</param>
/// <param name="Program">The program that it needs; <see langword="null"/> if none.</param>
internal sealed record ContenderKind(string Id, string Name, Func<Settings, int, ServerProcess> Start, string? Program = null)
{
    public bool IsInstalled => Program is null || InstalledPrograms.Find(Program) is not null;
}
