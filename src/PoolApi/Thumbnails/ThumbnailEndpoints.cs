using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Documentation;
using PoolApi.JobSetup;
using PoolApi.Problems;
using PoolApi.Requests;
using PoolApi.Thumbnails.Inspection;

namespace PoolApi.Thumbnails;

/// <summary>The route that makes thumbnails: validates the query and the image before the queue, and makes the thumbnail on a worker.</summary>
internal static class ThumbnailEndpoints
{
    public const string Tag = "thumbnails";
    public const string TagDescription = "Smaller images of images.";

    private static readonly (string Word, ThumbnailFormat Value)[] Formats =
        [("webp", ThumbnailFormat.Webp), ("jpeg", ThumbnailFormat.Jpeg), ("png", ThumbnailFormat.Png), ("avif", ThumbnailFormat.Avif)];

    private static readonly RequestParameter<int> Width =
        RequestParameter.WholeNumber("width", "The width, in pixels.", 1, ThumbnailSpec.MaxSide, isRequired: true, example: 320);

    private static readonly RequestParameter<int> Height =
        RequestParameter.WholeNumber("height", "The height, in pixels; by the image's own proportions if not given.", 1, ThumbnailSpec.MaxSide);

    private static readonly RequestParameter<ThumbnailFormat> Format = RequestParameter.OneOf(
        "format", "ThumbnailFormat",
        "The format of the response; jpg is jpeg. If it is not given, the header Accept chooses, by its qualities; webp where that leaves it open.",
        Formats, isFirstUsual: false, ("jpg", ThumbnailFormat.Jpeg));

    private static readonly RequestParameter<ThumbnailFit> Fit = RequestParameter.OneOf(
        "fit", "ThumbnailFit", "inside: within width and height, uncut; cover: exactly width and height, cut in the middle.",
        [("inside", ThumbnailFit.Inside), ("cover", ThumbnailFit.Cover)], isFirstUsual: true);

    public static void MapThumbnails(this IEndpointRouteBuilder endpoints, bool jobs) => endpoints
        .MapPost("/v1/thumbnails", static IResult (ThumbnailRequest request, HttpContext context, CancellationToken cancellation) =>
        {
            try
            {
                byte[] thumbnail = Thumbnailer.Make(request.Image!, request.Spec, cancellation);
                return TypedResults.Bytes(thumbnail, request.Spec.Format.ContentType());
            }
            catch (UnprocessableImageException e)
            {
                return Problem.OfField(context, ServiceProblems.UnprocessableImage, "body", e.Reason);
            }
            finally
            {
                NativeHeap.Freed((long)request.Image!.Cost.Bytes);
            }
        })
        .RefuseHead(static context => ThumbnailHead.Of(context).Refusal)
        .RefuseInvalid()
        .AllowJobsIf(jobs)
        .RunOnPool()
        .WithTags(Tag)
        .WithOperationId("createThumbnail")
        .WithSummary("Makes a thumbnail of an image.")
        .WithParameters(Width, Height, Format, Fit)
        .WithBinaryBody($"The image: {ImageSniffer.Accepted}.", RefuseType, "image/*", "application/octet-stream")
        .WithBinaryResponse("The thumbnail.", "image/webp", "image/jpeg", "image/png", "image/avif")
        .WithProblems(CommonProblems.InvalidRequest, ServiceProblems.NotAcceptable, ServiceProblems.UnsupportedMedia, ServiceProblems.UnprocessableImage)
        .WithMeaning(200, "The thumbnail.", (HeaderNames.Vary, "Accept, where the query does not say the format"));

    /// <summary>
    /// Refuses a multipart body, which can only have the image inside it. Other content types are accepted, because curl sends every body as a form by
    /// default.
    /// </summary>
    private static ProblemHttpResult? RefuseType(HttpContext context) =>
        context.Request.ContentType?.TrimStart().StartsWith("multipart/", StringComparison.OrdinalIgnoreCase) == true
            ? Problem.OfField(
                context, ServiceProblems.UnsupportedMedia, HeaderNames.ContentType,
                "Content-Type must not be multipart: such a body is a form around the image. Send the image's bytes as the body, "
                + "as image/* or application/octet-stream: with curl, --data-binary @FILE in place of -F.")
            : null;

    internal sealed record ThumbnailRequest(InspectedImage? Image, ThumbnailSpec Spec, IResult? Refusal) : IValidatedRequest
    {
        public static ValueTask<ThumbnailRequest?> BindAsync(HttpContext context)
        {
            ThumbnailHead head = ThumbnailHead.Of(context);
            InspectedImage? image = null;
            IResult? refusal = head.Refusal ?? RefuseBody(context, out image);
            return ValueTask.FromResult<ThumbnailRequest?>(new ThumbnailRequest(image, head.Spec, refusal));
        }

        private static ProblemHttpResult? RefuseBody(HttpContext context, out InspectedImage? image)
        {
            image = null;
            ReadOnlyMemory<byte> body = context.Features.Get<IBufferedBodyFeature>()?.Body ?? default;
            if (body.IsEmpty)
            {
                return Problem.InvalidRequest(context, new Dictionary<string, string[]>
                {
                    ["body"] = [$"The body is empty; it must be an image: {ImageSniffer.Accepted}. Send the image's bytes as the body."],
                });
            }
            if (!ImageSniffer.TryRecognise(body.Span, out ImageKind? kind))
                return Problem.OfField(context, ServiceProblems.UnsupportedMedia, "body", UnsupportedBody.Explain(body.Span));
            image = InspectedImage.Inspect(body, kind.Value, context.RequestServices.GetRequiredService<DecodeLimits>());
            return image.Refusal is { } refusal
                ? Problem.OfField(context, ServiceProblems.UnprocessableImage, "body", refusal)
                : null;
        }
    }

    /// <summary>The values of the query and the header Accept. Read once, before the body, and kept for the handler.</summary>
    private sealed record ThumbnailHead(ThumbnailSpec Spec, IResult? Refusal)
    {
        public static ThumbnailHead Of(HttpContext context)
        {
            if (context.Features.Get<ThumbnailHead>() is { } known) return known;
            ThumbnailHead head = Read(context);
            context.Features.Set(head);
            return head;
        }

        private static ThumbnailHead Read(HttpContext context)
        {
            var faults = new RequestFaults(context);
            int width = Width.TryRead(context, faults, out int given) ? given : 1; // the request is refused
            int? height = Height.ReadOrNull(context, faults);
            ThumbnailFormat? format = Format.ReadOrNull(context, faults);
            ThumbnailFit fit = Fit.Read(context, faults);
            IResult? refusal = faults.Refusal;
            if (refusal is null && (format ??= Negotiate(context)) is null)
            {
                refusal = Problem.OfField(
                    context, ServiceProblems.NotAcceptable, HeaderNames.Accept,
                    "Accept excludes every format of a thumbnail. Add image/webp, image/jpeg, image/png or image/avif, or a wildcard, with a quality above 0. Or give the format in the query.");
            }
            return new ThumbnailHead(new ThumbnailSpec(width, height, format ?? default, fit), refusal);
        }

        /// <summary>Chooses the format by the header Accept, and adds the choice to the query.</summary>
        private static ThumbnailFormat? Negotiate(HttpContext context)
        {
            context.Response.Headers.Append(HeaderNames.Vary, HeaderNames.Accept);
            ThumbnailFormat? format = FormatNegotiation.Choose(context.Request.Headers.Accept);
            // A stored request has its query and body but no header Accept. The default format is not added: requests that an earlier version stored do not
            // have it either.
            if (format is not (null or default(ThumbnailFormat)))
                context.Request.QueryString = context.Request.QueryString.Add(Format.Name, Array.Find(Formats, f => f.Value == format).Word);
            return format;
        }
    }
}
