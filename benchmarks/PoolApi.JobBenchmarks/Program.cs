using System.Data.Common;
using System.Runtime.InteropServices;
using PoolApi.JobBenchmarks;
using PoolApi.JobBenchmarks.Peers;
using PoolApi.JobBenchmarks.Postgres;
using PoolApi.JobBenchmarks.Scenarios;
using PoolApi.JobBenchmarks.Stores;
using PoolApi.Jobs.Stores;

const int Success = 0, BarMissed = 1, Failed = 70;

if (args is [OneCommitServer.Command, .. var serverArgs])
{
    await OneCommitServer.RunAsync(serverArgs);
    return Success;
}

if (!CommandLine.TryRead(() => Settings.Parse(args), static () => Settings.Usage, out Settings? settings, out int exitCode)) return exitCode;

// A signal that ends the program also ends the servers and deletes their data.
using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, static _ => CleanUp());
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, static _ => CleanUp());
using var hungUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, static _ => CleanUp());

Console.WriteLine(
    $"{RuntimeInformation.FrameworkDescription}, {Environment.ProcessorCount} processors, shared by all that is measured and the load");
Console.WriteLine($"load of the machine before: {LoadAverage()}; data in {settings.Folder}");

var report = new Report();
try
{
    foreach (IScenario scenario in ScenarioCatalogue.All)
    {
        if (!settings.Selects(scenario)) continue;
        // Progress, not result: a redirected standard output holds the tables only.
        Console.Error.WriteLine($"{DateTime.Now:HH:mm:ss} {scenario.Name}: {scenario.Summary}");
        await scenario.RunAsync(settings, report);
    }
}
catch (Exception e) when (e is InvalidOperationException or IOException or TimeoutException or InvalidDataException
    or System.Net.Sockets.SocketException or JobStoreException or DbException)
{
    Console.Error.WriteLine(e.Message);
    return Failed;
}
finally
{
    CleanUp();
}
report.PrintBars();
return report.AllPassed ? Success : BarMissed;

static void CleanUp()
{
    ServerProcess.KillAll();
    PostgresServer.StopAll();
    DataFolder.DeleteAll();
}

static string LoadAverage()
{
    try
    {
        return string.Join(' ', File.ReadAllText("/proc/loadavg").Split(' ').Take(3));
    }
    catch (IOException)
    {
        return "unknown"; // not Linux
    }
}
