using System.Text;

namespace PoolApi.EndToEnd;

/// <summary>P9: a hundred bad images later the process is as it was.</summary>
[Collection(Quiet.Name)]
public sealed class MemoryTests
{
    // Loose on purpose: the collector keeps what it likes. A leaked 1 MB body per bad request would be 100 MB, a drawn bomb gigabytes.
    private const long Growth = 80 << 20;

    [Theory, ClassData(typeof(BothForms))]
    public async Task Memory_returns_after_a_hundred_bad_images(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, "--Pool:Workers 2");
        byte[] png = Png.Gradient(800, 800);
        byte[] large = new byte[1 << 20];
        "not an image at all"u8.CopyTo(large);
        byte[][] bad = [png[..(png.Length / 2)], Png.HollowBomb(), Png.FullBomb(), Encoding.ASCII.GetBytes("hello"), large];
        await PostAllAsync(service, bad, rounds: 6);
        long before = ProcessFacts.ResidentBytes(service.Id);

        await PostAllAsync(service, bad, rounds: 20);

        await Eventually.SeesAsync(
            () => Task.FromResult(ProcessFacts.ResidentBytes(service.Id)),
            now => now <= before + Growth,
            $"at most {Growth >> 20} MB more than {before >> 20} MB");
        var view = await service.SeeWorkersAsync(v => v.AllIdle, "idle workers");
        Assert.Equal((2, 0L), (view.Workers.Count, view.QueueBytes));
        (await service.Api.PostPngAsync("/v1/thumbnails?width=8", png)).MustBe(200);
        var summary = await service.StopAsync();
        summary.MustAddUp();
        Assert.Equal(0, summary.Exit);
    }

    private static async Task PostAllAsync(PoolApiProcess service, byte[][] images, int rounds)
    {
        for (int round = 0; round < rounds; round++)
        {
            var answers = await Task.WhenAll(images.Select(image => service.Api.PostPngAsync("/v1/thumbnails?width=64", image)));
            Assert.All(answers, answer => answer.MustBeProblemOf(415, 422));
        }
    }
}
