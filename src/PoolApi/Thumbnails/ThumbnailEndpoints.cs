using Microsoft.AspNetCore.Http.HttpResults;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Documentation;
using PoolApi.JobService;
using PoolApi.Problems;
using PoolApi.Requests;
using PoolApi.Thumbnails.Inspection;

namespace PoolApi.Thumbnails;

/// <summary>An image in, a smaller image out.</summary>
internal static class ThumbnailEndpoints
{
    public static void MapThumbnails(this IEndpointRouteBuilder endpoints) => endpoints
        .MapPost("/v1/thumbnails", static IResult (ThumbnailRequest request, HttpContext context, CancellationToken cancellation) =>
        {
            try
            {
                byte[] thumbnail = Thumbnailer.Make(request.Image, request.Spec, context.RequestServices.GetRequiredService<DecodeLimits>(), cancellation);
                return TypedResults.Bytes(thumbnail, request.Spec.Format.ContentType());
            }
            catch (UnprocessableImageException e)
            {
                return Problem.Unprocessable(context, "unprocessable-image", "body", e.Reason);
            }
        })
        .RefuseInvalid()
        .Storable()
        .RunOnPool()
        .WithTags("thumbnails")
        .WithSummary("Makes a thumbnail of an image.")
        .WithNumber("width", "The width, in pixels.", 1, ThumbnailSpec.MaxSide, required: true, example: 320)
        .WithNumber("height", "The height, in pixels; by the image's own proportions if not given.", 1, ThumbnailSpec.MaxSide, required: false)
        .WithChoice("format", "The format of the answer.", "webp", "jpeg", "png", "avif")
        .WithChoice("fit", "inside: within width and height, uncut; cover: exactly width and height, cut in the middle.", "inside", "cover")
        .WithBinaryBody($"The image: {ImageSniffer.Accepted}.", "image/*", "application/octet-stream")
        .WithBinaryAnswer("The thumbnail.", "image/webp", "image/jpeg", "image/png", "image/avif")
        .WithProblems(400, 408, 415, 422);

    internal sealed record ThumbnailRequest(ReadOnlyMemory<byte> Image, ThumbnailSpec Spec, IResult? Refusal) : IValidatedRequest
    {
        public static ValueTask<ThumbnailRequest?> BindAsync(HttpContext context)
        {
            var query = new QueryReader(context);
            int width = query.WholeNumber("width", 1, ThumbnailSpec.MaxSide);
            int? height = query.OptionalWholeNumber("height", 1, ThumbnailSpec.MaxSide);
            ThumbnailFormat format = query.OneOf(
                "format",
                [("webp", ThumbnailFormat.Webp), ("jpeg", ThumbnailFormat.Jpeg), ("png", ThumbnailFormat.Png), ("avif", ThumbnailFormat.Avif)]);
            ThumbnailFit fit = query.OneOf("fit", [("inside", ThumbnailFit.Inside), ("cover", ThumbnailFit.Cover)]);
            ReadOnlyMemory<byte> image = context.Features.Get<IBufferedBodyFeature>()?.Body ?? default;
            IResult? refusal = query.Refusal ?? RefuseBody(context, image.Span);
            var spec = new ThumbnailSpec(width, height, format, fit);
            return ValueTask.FromResult<ThumbnailRequest?>(new ThumbnailRequest(image, spec, refusal));
        }

        private static ProblemHttpResult? RefuseBody(HttpContext context, ReadOnlySpan<byte> image)
        {
            if (image.IsEmpty)
            {
                return Problem.InvalidRequest(context, new Dictionary<string, string[]>
                {
                    ["body"] = [$"The body is empty; it may be an image: {ImageSniffer.Accepted}."],
                });
            }
            if (!ImageSniffer.TryRecognise(image, out ImageKind? kind))
                return Problem.UnsupportedMedia(context, "body", $"The body is not an image of a known kind; it may be {ImageSniffer.Accepted}.");
            return ImageInspection.Refusal(image, kind.Value, context.RequestServices.GetRequiredService<DecodeLimits>()) is { } refusal
                ? Problem.Unprocessable(context, "unprocessable-image", "body", refusal)
                : null;
        }
    }
}
