using System.Text;

namespace PoolApi.EndToEnd.Load;

/// <summary>P9: after a hundred bad images the process has its memory back, and has lost no worker.</summary>
[Collection(Heavy.Name)]
public sealed class MemoryTests
{
    // A loose limit, because the garbage collector may keep memory. A leaked 1 MB body per bad request would be 100 MB, a decoded bomb gigabytes.
    private const long Growth = 80 << 20;

    // With glibc's default settings the growth is 150 MB and more.
    private const long LargeGrowth = 105 << 20;

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

    [Fact]
    public async Task Memory_returns_after_images_that_are_decoded_as_a_whole()
    {
        // Images of different sizes on several workers: the memory that the heap keeps from one image never fits the next one.
        byte[][] large = [Png.Interlaced(1500, 1500), Png.Interlaced(2200, 2200), Png.Interlaced(3000, 3000), Webp.Lossless(1700, 1700), Webp.Lossless(2600, 2600), Webp.Lossless(3300, 3300)];
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.FrameworkDependent, "--Pool:Workers 4", "--Pool:MaxQueueTime 00:10:00", "--Jobs:Store none");
        (await service.Api.PostPngAsync("/v1/thumbnails?width=64", large[0])).MustBe(200);
        long before = ProcessFacts.ResidentBytes(service.Id);

        for (int round = 0; round < 6; round++)
            Assert.All(await Task.WhenAll(large.Select(image => service.Api.PostPngAsync("/v1/thumbnails?width=64", image))), static answer => answer.MustBe(200));

        await Eventually.SeesAsync(
            () => Task.FromResult(ProcessFacts.ResidentBytes(service.Id)),
            now => now <= before + LargeGrowth,
            $"at most {LargeGrowth >> 20} MB more than {before >> 20} MB");
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
