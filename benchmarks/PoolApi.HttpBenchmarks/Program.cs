using System.Runtime.InteropServices;
using PoolApi.HttpBenchmarks;
using PoolApi.HttpBenchmarks.Baseline;
using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Reporting;
using PoolApi.HttpBenchmarks.Scenarios;

const int Success = 0, BarMissed = 1, ServerFailed = 70;

if (args is [BaselineServer.Command, .. var serverArgs])
{
    BaselineServer.Run(serverArgs);
    return Success;
}

if (args is [BareThumbnails.Command, .. var loopArgs])
{
    BareThumbnails.Run(loopArgs);
    return Success;
}

if (!CommandLine.TryRead(() => Settings.Parse(args), static () => Settings.Usage, out Settings? settings, out int exitCode)) return exitCode;

// A signal that ends the program also ends the servers.
using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, static _ => CleanUp());
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, static _ => CleanUp());
using var hungUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, static _ => CleanUp());

Console.WriteLine($"{RuntimeInformation.FrameworkDescription}, {Environment.ProcessorCount} processors, shared by the servers and the load");
foreach (ContenderKind kind in ContenderCatalogue.All.Where(kind => !kind.IsInstalled)) Console.Error.WriteLine($"{kind.Name} is not installed.");

Report report = new();
var overview = new Overview();
try
{
    foreach (IScenario scenario in ScenarioCatalogue.All)
    {
        if (!settings.Selects(scenario)) continue;
        // Progress, not result: a redirected standard output holds the tables only.
        Console.Error.WriteLine($"{DateTime.Now:HH:mm:ss} {scenario.Name}: {scenario.Summary}");
        scenario.Run(settings, report, overview);
    }
}
catch (Exception e) when (e is InvalidOperationException or FileNotFoundException or TimeoutException or InvalidDataException)
{
    Console.Error.WriteLine(e.Message);
    return ServerFailed;
}
finally
{
    CleanUp();
}
report.PrintBars();
overview.Print();
return report.AllPassed ? Success : BarMissed;

static void CleanUp()
{
    ServerProcess.KillAll();
    ScriptFolder.Delete();
}
