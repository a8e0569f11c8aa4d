using System.Diagnostics;

namespace PoolApi.EndToEnd.Harness;

/// <summary>A disk in memory, so small that it can be filled.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _fillers = [];
    private bool _isMounted;

    public string Path => _folder.Path;

    public static async Task<SmallDisk> MountAsync(int megabytes)
    {
        var disk = new SmallDisk();
        var run = await ProgramRun.ToEndAsync(
            new ProcessStartInfo("mount", ["-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", disk.Path]), Patience.Long);
        disk._isMounted = run.ExitCode == 0;
        if (!disk._isMounted)
        {
            disk.Dispose();
            Tool.Missing("The right to mount a disk", "run as root; mount reports: " + run.Text);
        }

        return disk;
    }

    /// <summary>Fills it to the last byte.</summary>
    public void Fill()
    {
        for (int size = 1 << 20; size > 0; size = size > 4096 ? size / 4 : 0)
        {
            for (bool fits = true; fits;)
            {
                string filler = System.IO.Path.Combine(Path, $"filler-{_fillers.Count}");
                _fillers.Add(filler);
                try
                {
                    File.WriteAllBytes(filler, new byte[size]);
                }
                catch (IOException)
                {
                    fits = false;
                }
            }
        }
    }

    /// <summary>Deletes the files that fill it.</summary>
    public void Empty() => _fillers.ForEach(File.Delete);

    public void Dispose()
    {
        if (_isMounted)
        {
            using var unmount = Process.Start("umount", ["--lazy", Path]);
            unmount.WaitForExit();
        }

        _folder.Dispose();
    }
}
